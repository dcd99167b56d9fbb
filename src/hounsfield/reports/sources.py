"""The page of a study of sources: what a number on merged data is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.sources import SourceStudy, Unseen
from hounsfield.evaluation.verdict import SEEN, ranged
from hounsfield.files import whole_file
from hounsfield.reports import numbers, page
from hounsfield.reports.html import Line, line

if TYPE_CHECKING:
    from rich.console import Console

PAGE = "leave_out.html"
OF_CLASS = ("precision", "recall", "f1")
SHOWN = ("accuracy", "auroc", "balanced_accuracy")


@dataclass(frozen=True)
class ClassRow:
    """A class of the published table."""

    name: str
    cells: tuple[Line, ...]
    tested: str


@dataclass(frozen=True)
class UnseenRow:
    """A source that was left out, in words."""

    source: str
    tested: str
    lines: tuple[Line, ...]
    fall: tuple[str, str]
    of: str
    paired: tuple[str, str, str] | None
    trained: int


@dataclass(frozen=True)
class ProbeRows:
    """The looks of one class."""

    title: str
    lines: tuple[Line, ...]
    accuracy: str


def write(study: SourceStudy, folder: Path) -> Path:
    """leave_out.html in the study's folder, whole or not at all."""
    path = folder / PAGE
    with whole_file(path) as file:
        file.write(page.render("sources.html.j2", contents(study)))
    return path


def contents(study: SourceStudy) -> dict[str, object]:
    """What the page shows."""
    lost = [f"{source} was not left out: {why}." for source, why in study.impossible.items()]
    counted = {source: None for row in study.counts.values() for source in row}
    return {
        "title": "What the number is worth",
        "who": _who(study),
        "study": study,
        "verdict": study.findings[0],
        "compared": _compared(study),
        "table": class_rows(study),
        "overall": [line(_of(study.mixed.estimates, name)) for name in SHOWN],
        "unseen": [unseen_row(one, study) for one in study.unseen],
        "lost": lost,
        "probes": probe_rows(study),
        "sources": list(counted),
    }


def print_study(study: SourceStudy, console: Console) -> None:
    """The published table with intervals, the unseen sources, and the verdict, in a terminal."""
    first = _table("The mixed test", "", "precision", "recall", "F1", "tested")
    for row in class_rows(study):
        cells = (f"{cell.value} ({cell.interval})" for cell in row.cells)
        first.add_row(*map(Text, (row.name, *cells, row.tested)))
    accuracy = line(_of(study.mixed.estimates, "accuracy"))
    shown = f"{accuracy.value} ({accuracy.interval})"
    first.add_row(*map(Text, ("accuracy", "", "", shown, str(study.mixed.cases))))
    console.print(first)
    second = _table("Sources that were not trained on", "", "measured", "fall from the mixed test")
    for one in study.unseen:
        found = unseen_row(one, study)
        said = "; ".join(f"{x.title} {x.value} ({x.interval})" for x in found.lines)
        second.add_row(*map(Text, (one.source, said, f"{found.fall[0]} ({found.fall[1]})")))
    if study.unseen:
        console.print(second)


def class_rows(study: SourceStudy) -> list[ClassRow]:
    """Precision, recall and F1 of each class of the mixed test."""
    estimates = study.mixed.estimates
    return [
        ClassRow(
            name,
            tuple(line(_of(estimates, metric, name)) for metric in OF_CLASS),
            f"{_of(estimates, 'recall', name).cases:,}",
        )
        for name in study.classes
    ]


def unseen_row(one: Unseen, study: SourceStudy) -> UnseenRow:
    if one.whole:
        found = [_of(one.estimates, name) for name in (study.mixed.headline, "accuracy")]
    else:
        present = [name for name, count in one.tested.items() if count]
        found = [_of(one.estimates, "recall", name) for name in present]
    paired = None
    if one.paired is not None:
        ends = (numbers.plain(x, 2) for x in (one.paired.a, one.paired.b))
        which = "mixed {}, unseen {}; {}".format(*ends, numbers.count(one.paired.cases, "picture"))
        paired = (*numbers.difference(one.paired), which)
    tested = (f"{count:,} {name}" for name, count in one.tested.items() if count)
    return UnseenRow(
        one.source,
        ", ".join(tested),
        tuple(replace(line(e), note="") if not one.whole else line(e) for e in found),
        numbers.difference(one.fall),
        one.fall.title,
        paired,
        one.trained,
    )


def probe_rows(study: SourceStudy) -> list[ProbeRows]:
    """The probes, a class at a time."""
    rows = []
    for name in dict.fromkeys(probe.class_name for probe in study.probes):
        mine = [probe for probe in study.probes if probe.class_name == name]
        chance = f"balanced accuracy of guessing: {mine[0].chance:.2f}; reached: "
        reached = (f"{SEEN[p.look]} {ranged(p.accuracy)}" for p in mine)
        which = f"{name} alone" if name else "all classes together, as none has two sources"
        rows.append(
            ProbeRows(
                f"{which}: {numbers.listed(list(mine[0].sources))}",
                tuple(line(p.auroc, SEEN[p.look]) for p in mine),
                numbers.sentence(chance + ", ".join(reached)),
            )
        )
    return rows


def _compared(study: SourceStudy) -> list[Line]:
    """The mixed test above each unseen source that has the same measure."""
    name = study.mixed.headline
    first = [line(study.mixed.first(), f"all sources mixed: {study.mixed.first().title}")]
    whole = [one for one in study.unseen if one.whole]
    return first + [
        line(_of(one.estimates, name), f"{one.source}, not trained on") for one in whole
    ]


def _of(estimates: Sequence[Estimate], metric: str, class_name: str | None = None) -> Estimate:
    """A metric over all cases; of a class, or of all. Of two, the last class has both names."""
    return next(
        e for e in estimates if (e.metric, e.class_name, e.group) == (metric, class_name, "all")
    )


def _who(study: SourceStudy) -> str:
    sources = {source for row in study.counts.values() for source in row}
    cases = sum(sum(row.values()) for row in study.counts.values())
    classes = " against ".join(study.classes)
    return f"{classes}: {numbers.count(cases, 'case')} of {len(sources)} sources"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(Text(name))
    return table
