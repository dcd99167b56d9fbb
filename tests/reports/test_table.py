"""The terminal's tables say what the evaluation says."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from hounsfield.reports import numbers
from hounsfield.reports.table import BAR, bar, print_estimates
from hounsfield.reports.view import View


def _printed(view: View) -> str:
    out = StringIO()
    print_estimates(view.evaluation, Console(file=out, width=110))
    return out.getvalue()


def test_every_overall_estimate_is_printed(view: View) -> None:
    text = _printed(view)
    for one in view.evaluation.overall():
        line = next(line for line in text.splitlines() if line.startswith(one.title))
        assert numbers.value(one) in line
        assert numbers.interval(one) in line


def test_unreliable_ones_are_marked_and_explained_once(build) -> None:
    view = build(patients=60)
    text = _printed(view)
    assert "AUROC (unreliable)" in text
    assert text.count(view.evaluation.first().note) == 1


def test_names_are_not_markup(view: View) -> None:
    first = view.evaluation.first().model_copy(update={"title": "[red]AUROC[/red]"})
    evaluation = view.evaluation.model_copy(update={"estimates": (first,)})
    out = StringIO()
    print_estimates(evaluation, Console(file=out, width=110))
    assert "[red]AUROC[/red]" in out.getvalue()


def test_bar_ends_where_the_interval_ends(view: View) -> None:
    one = view.evaluation.first().model_copy(update={"low": 0.0, "value": 0.5, "high": 1.0})
    drawn = bar(one)
    assert len(drawn) == BAR
    assert drawn.index("●") in (BAR // 2 - 1, BAR // 2)
    assert bar(one.model_copy(update={"low": float("nan")})) == ""
    assert bar(one.model_copy(update={"high": 3.0})) == ""
