"""hounsfield report RUN"""

from __future__ import annotations

from pathlib import Path


def report(run: Path, /, *, name: str = "test") -> None:
    """Write the report of a run's evaluation again, and print its path.

    Parameters
    ----------
    run
        The run's folder.
    name
        The evaluation: "test", "val", or the name given to another hospital's data.
    """
    from rich.console import Console

    from hounsfield import workflow

    Console(soft_wrap=True).print(str(workflow.report(run, name)), markup=False, highlight=False)
