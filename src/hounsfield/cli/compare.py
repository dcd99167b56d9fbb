"""hounsfield compare RUN RUN…"""

from __future__ import annotations

from pathlib import Path


def compare(*runs: Path, out: Path = Path("compare.html")) -> None:
    """Compare runs on the same cases: paired differences with intervals.

    Parameters
    ----------
    runs
        Two or more run folders; each is compared with the first.
    out
        The page to write.
    """
    from rich.console import Console

    from hounsfield import workflow
    from hounsfield.reports.comparison import print_comparison, write

    console = Console(soft_wrap=True)
    found = workflow.compare(runs)
    print_comparison(found, console)
    console.print(str(write(found, out)), markup=False, highlight=False)
