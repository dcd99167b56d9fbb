"""hounsfield evaluate RUN"""

from __future__ import annotations

from pathlib import Path


def evaluate(run: Path, /, *, data: Path | None = None, name: str | None = None) -> None:
    """Measure a run on its own test part, or on another hospital's data.

    Other data give the same report, with the fall against the internal test and its interval.

    Parameters
    ----------
    run
        The run's folder.
    data
        A folder or catalog of other, labelled images.
    name
        What to call this evaluation; the folder's name if not given.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.results import show_run
    from hounsfield.run import Run

    watch = Terminal(times=False)
    found = workflow.evaluate(run, data, name=name, watch=watch)
    show_run(Run(run), watch.out, found.name)
