"""hounsfield compare RUN RUN…"""

from __future__ import annotations

from pathlib import Path


def compare(*runs: Path, name: str = "test", out: Path = Path("compare.html")) -> None:
    """Compare runs on the same cases: paired differences with intervals.

    Parameters
    ----------
    runs
        Two or more run folders; the first is compared with each other one.
    name
        The evaluation: "test", "val", or the name given to another hospital's data.
    out
        The page to write.
    """
    from rich.console import Console

    from hounsfield import workflow
    from hounsfield.reports.comparison import Comparison, print_comparison, write

    console = Console(soft_wrap=True)
    found = Comparison.of_runs(runs, workflow.compare(runs, name), name)
    print_comparison(found, console)
    console.print(str(write(found, out)), markup=False, highlight=False)
