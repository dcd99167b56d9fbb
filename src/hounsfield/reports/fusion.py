"""Ways to join slices, side by side: measures, differences from the first, time and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.record import Evaluation
from hounsfield.files import whole_file
from hounsfield.reports import comparison, numbers, page

SHOWN = ("accuracy", "f1", "auroc")


@dataclass(frozen=True)
class Arm:
    """One way, trained and measured; `differences` are its values minus the first arm's."""

    name: str
    network: str
    slices: int
    parameters: int
    epochs: int
    seconds: float  # of training
    evaluation: Evaluation
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def measures(self) -> list[Estimate]:
        """Accuracy, F1 and ROC-AUC; another task's first three measures."""
        overall = self.evaluation.overall()
        known = {one.metric: one for one in overall}
        return [known[name] for name in SHOWN if name in known] or list(overall[:3])

    def difference(self, metric: str) -> Difference | None:
        """Of a measure over all classes; None in the first arm."""
        found = (d for d in self.differences if d.metric == metric and d.class_name is None)
        return next(found, None)


@dataclass(frozen=True)
class Study:
    """The arms; each other one was compared with the first."""

    arms: tuple[Arm, ...]

    @property
    def reference(self) -> str:
        return self.arms[0].name

    def __getitem__(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def _repr_html_(self) -> str:
        from hounsfield.reports.report import framed

        return framed(page.render("fusion.html.j2", contents(self)).decode())


def write(study: Study, folder: Path) -> Path:
    """comparison.csv and comparison.html, each whole or not at all; the page's path."""
    with whole_file(folder / "comparison.csv") as file:
        pl.DataFrame([_row(arm, study.reference) for arm in study.arms]).write_csv(file)
    path = folder / "comparison.html"
    with whole_file(path) as file:
        file.write(page.render("fusion.html.j2", contents(study)))
    return path


def print_study(study: Study, console: Console | None = None) -> None:
    """A line an arm, the differences below their measures; names are plain text."""
    console = console or Console()
    first = study.arms[0]
    title = Text(f"Minus {study.reference}, on the same cases, with 95 % intervals", style="bold")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    heads = ["", *(one.title for one in first.measures()), "slices", "parameters", "training"]
    for number, name in enumerate(heads):
        words = 0 < number <= len(first.measures())  # may wrap, where the terminal is narrow
        side: Literal["left", "right"] = "right" if number else "left"
        table.add_column(Text(name), justify=side, no_wrap=not words, overflow="fold")
    for arm in study.arms:
        table.add_row(*(Text(cell) for cell in _line(arm)))
        if arm.differences:
            table.add_row(*_differences(arm))
    console.print(table)
    for arm in study.arms:
        for note in arm.notes:
            console.print(Text(f"{arm.name}: {note}"))


def contents(study: Study) -> dict[str, Any]:
    """What the page shows."""
    pairs = tuple(
        comparison.Pair(arm.name, study.reference, _shown(arm))
        for arm in study.arms
        if arm.differences
    )
    return {
        "title": "Ways to join slices",
        "study": study,
        "heads": [one.title for one in study.arms[0].measures()],
        "lines": [(arm, arm.measures(), _shown(arm)) for arm in study.arms],
        "pairs": [(pair, comparison.rows(pair), comparison.sentence(pair)) for pair in pairs],
        "tests": comparison.tests(pairs),
    }


def _shown(arm: Arm) -> tuple[Difference, ...]:
    """The differences of the measures that are shown, the headline first."""
    found = [arm.difference(one.metric) for one in arm.measures()]
    there = [one for one in found if one is not None]
    return tuple(sorted(there, key=lambda one: one.metric != arm.evaluation.headline))


def _line(arm: Arm) -> Iterator[str]:
    yield arm.name
    for one in arm.measures():
        yield f"{numbers.value(one)} ({numbers.interval(one)})"
    yield str(arm.slices)
    yield f"{arm.parameters:,}"
    yield numbers.seconds(arm.seconds)


def _differences(arm: Arm) -> Iterator[Text]:
    yield Text("")
    for one in arm.measures():
        found = arm.difference(one.metric)
        if found is None:
            yield Text(numbers.UNDEFINED)
            continue
        value, interval = numbers.difference(found)
        clear = found.reliable and not found.low <= 0 <= found.high
        yield Text(f"{value} ({interval})", style="bold" if clear else "dim")


def _row(arm: Arm, reference: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "arm": arm.name,
        "network": arm.network,
        "slices": arm.slices,
        "parameters": arm.parameters,
        "epochs": arm.epochs,
        "training_seconds": round(arm.seconds, 1),
        "cases": arm.evaluation.cases,
        "patients": arm.evaluation.patients,
    }
    for one in arm.measures():
        row |= {one.metric: one.value, f"{one.metric}_low": one.low, f"{one.metric}_high": one.high}
        found = arm.difference(one.metric)
        minus = f"{one.metric}_minus_{reference}"
        row |= {
            minus: found and found.difference,
            f"{minus}_low": found and found.low,
            f"{minus}_high": found and found.high,
            f"{minus}_p": found and found.p_value,
        }
    return row
