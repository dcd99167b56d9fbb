"""Runs side by side: paired differences on the same cases, as a page and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.record import Evaluation
from hounsfield.files import whole_file
from hounsfield.reports import numbers, page, words
from hounsfield.run import Run

TESTS = {
    "delong": "paired DeLong",
    "mcnemar": "exact McNemar over patients",
    "bootstrap": "bootstrap over patients",
    "none": "not tested",
}


@dataclass(frozen=True)
class Pair:
    """Run a against run b: a - b of each metric, on the same cases."""

    a: str
    b: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs by name with their evaluations, and the pairs that were compared."""

    evaluations: tuple[tuple[str, Evaluation], ...]
    pairs: tuple[Pair, ...]

    @classmethod
    def of(
        cls, evaluations: Sequence[tuple[str, Evaluation]], differences: Sequence[Difference]
    ) -> Comparison:
        """The first run against each other one; the differences come run by run."""
        (first, _), *others = evaluations
        each = len(differences) // max(len(others), 1)
        pairs = (
            Pair(first, name, tuple(differences[n * each : (n + 1) * each]))
            for n, (name, _) in enumerate(others)
        )
        return cls(tuple(evaluations), tuple(pairs))

    @classmethod
    def of_runs(
        cls, runs: Sequence[Path], differences: Sequence[Difference], name: str = "test"
    ) -> Comparison:
        """As `of`, for run folders; runs of one name are told apart by their parent folder."""
        names = [path.resolve().name for path in runs]
        if len(set(names)) < len(names):
            names = [f"{path.resolve().parent.name}/{path.resolve().name}" for path in runs]
        loaded = [Evaluation.load(Run(path).evaluation(name)) for path in runs]
        return cls.of(list(zip(names, loaded, strict=True)), differences)

    def _repr_html_(self) -> str:
        from hounsfield.reports.report import framed

        return framed(page.render("compare.html.j2", contents(self)).decode())


@dataclass(frozen=True)
class Row:
    """A difference in words, and its bar in percent of a scale with 0 in the middle."""

    title: str
    a: str
    b: str
    difference: str
    interval: str
    p: str
    left: float
    width: float
    point: float
    clear: bool
    reliable: bool
    note: str


def write(comparison: Comparison, path: Path) -> Path:
    """compare.html, whole or not at all."""
    with whole_file(path) as file:
        file.write(page.render("compare.html.j2", contents(comparison)))
    return path


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """A table for each pair, of the measures over all classes; names are plain text."""
    console = console or Console()
    for whole in comparison.pairs:
        overall = tuple(one for one in whole.differences if one.class_name is None)
        pair = replace(whole, differences=overall or whole.differences)
        title = Text(f"{pair.a} against {pair.b}, on the same cases", style="bold")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        names = ("", pair.a, pair.b, "difference", "95 % interval", "p")
        for number, name in enumerate(names):
            table.add_column(Text(name), justify="right" if number else "left")
        for row in rows(pair):
            style = "bold" if row.clear else "" if row.reliable else "yellow"
            cells = (row.title, row.a, row.b, row.difference, row.interval, row.p)
            table.add_row(*(Text(cell, style=style) for cell in cells))
        console.print(table)
        for note in dict.fromkeys(row.note for row in rows(pair) if row.note):
            console.print(Text(note, style="yellow"))


def rows(pair: Pair) -> list[Row]:
    """One row a metric; the bars of a pair share a scale."""
    ends = [abs(x) for d in pair.differences for x in (d.low, d.high) if np.isfinite(x)]
    widest = max(ends, default=1.0) or 1.0
    return [_row(one, widest) for one in pair.differences]


def tests(pairs: Sequence[Pair]) -> list[str]:
    """What gave the p-values of these comparisons, each named once."""
    used = {one.test for pair in pairs for one in pair.differences}
    return sorted(TESTS[test] for test in used if test != "none")


def contents(comparison: Comparison) -> dict[str, object]:
    """What the page shows."""
    from hounsfield.reports.html import line

    return {
        "title": "Runs compared",
        "counts": words.counts,
        "pairs": [(pair, rows(pair), sentence(pair)) for pair in comparison.pairs],
        "runs": [
            (name, evaluation, [line(e) for e in evaluation.overall()])
            for name, evaluation in comparison.evaluations
        ],
        "tests": tests(comparison.pairs),
    }


def sentence(pair: Pair) -> str:
    """What the first metric's difference says."""
    if not pair.differences:
        return f"{pair.a} and {pair.b} share no metric."
    first, row = pair.differences[0], rows(pair)[0]
    if not np.isfinite(first.difference):
        return f"{first.title} cannot be compared ({first.note})."
    between = row.interval.replace(" to ", " and ")
    found = (
        f"{first.title} is {row.a} with {pair.a} and {row.b} with {pair.b}: a difference of "
        f"{row.difference}, and with 95\N{NO-BREAK SPACE}% certainty it lies between {between}."
    )
    if row.clear:
        return found
    return f"{found} These cases cannot tell which of the two is better."


def _row(found: Difference, widest: float) -> Row:
    change, interval = numbers.difference(found)
    places = numbers.places_of(found)
    ends = np.array([found.low, found.high, found.difference])
    left, right, point = np.nan_to_num(50 + 50 * ends / widest, nan=-1.0).tolist()
    return Row(
        found.title,
        numbers.plain(found.a, places),
        numbers.plain(found.b, places),
        change,
        interval,
        numbers.p_value(found.p_value),
        left,
        max(right - left, 0.5),
        point,
        bool(found.reliable and not found.low <= 0 <= found.high),
        found.reliable,
        found.note,
    )
