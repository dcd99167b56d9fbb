"""A finished run on the terminal: findings, numbers with intervals, the report's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.run import Run


def show_run(run: Run, console: Console, name: str = "test") -> None:
    """What was found in the data, how good the model is, and where to read more; path last."""
    from hounsfield.cli.index import print_findings
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.reports.added_value import added
    from hounsfield.reports.table import print_estimates

    if name in ("test", "val"):
        print_findings([f for f in run.findings if f.severity != "info"], console)
    print_estimates(Evaluation.load(run.evaluation(name)), console)
    shown = added(run) if name == "test" else None
    for sentence in shown.sentences if shown else ():
        console.print(sentence, markup=False, highlight=False)
    console.print(str(run.report(name)), markup=False, highlight=False)
