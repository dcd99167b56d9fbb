"""report.html: one file that a clinician can read, offline, on a telephone or on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from hounsfield.errors import UsageError
from hounsfield.evaluation import METHODS, classification_report
from hounsfield.evaluation.estimate import Estimate
from hounsfield.files import whole_file
from hounsfield.metrics import metric
from hounsfield.reports import card, facts, figures, limits, method, numbers, page, words
from hounsfield.reports.added_value import added
from hounsfield.reports.figures import Figure, Section
from hounsfield.reports.figures.subgroups import of_headline
from hounsfield.reports.figures.subgroups import words as group_words
from hounsfield.reports.view import View

SHEETS = {  # what a sheet of the run shows
    "augmented": "Left: training images as the network is given them. Right: the same, varied by "
    "chance, as in training, where each epoch draws anew.",
    "intensities": "A thin line an image, in bold their mean.",
    "raw": "Training images as stored.",
}
MOST_GROUPS = 12  # of a finding, spelled out


@dataclass(frozen=True)
class Line:
    """One estimate as a table's row: words, and the bar's place in percent of its scale."""

    title: str
    meaning: str
    value: str
    interval: str
    left: float
    width: float
    point: float
    scale: str  # its ends, where they are not 0 and 1
    patients: int
    cases: int
    method: str
    reliable: bool
    note: str


def write(view: View, *, task_figures: Sequence[str]) -> Path:
    """Draw the figures, write report.html and model_card.md into the evaluation's folder.

    task_figures: names of `reports.figures`, shown besides those of every task. Returns the
    report's path.

    Raises:
        UsageError: there is no figure of that name.
        StorageError: the disk is full or the folder cannot be written.
    """
    view.folder.mkdir(parents=True, exist_ok=True)
    drawn = figures.draw(view, [*task_figures, *figures.ALWAYS])
    data = drawn.setdefault("data", [])
    data.extend(sheets(view, raw=not any(one.png and not one.svg for one in data)))
    shown = page.fitted(drawn)
    context = contents(view) | {
        "figures": {
            name: [figure for figure in shown.get(name, []) if not figure.html]
            for name in get_args(Section)
        },
        "pages": [figure for group in drawn.values() for figure in group if figure.html],
    }
    path = view.folder / "report.html"
    with whole_file(path) as file:
        file.write(page.render("report.html.j2", context))
    card.write(view)
    return path


def contents(view: View) -> dict[str, Any]:
    """What the template shows, besides the pictures."""
    run, evaluation = view.run, view.evaluation
    cautions = words.cautions(evaluation)
    by_class = [e for e in evaluation.estimates if e.group == "all" and e.class_name is not None]
    return {
        "view": view,
        "evaluation": evaluation,
        "title": words.title(view),
        "failing": words.failing(view),
        "counts": words.counts(evaluation),
        "unit": "Images" if words.per_image(evaluation) else "Patients",
        "run_name": run.path.resolve().name,
        "where": words.part_of(evaluation),
        "headline": words.headline(view),
        "first": line(evaluation.first()),
        "warnings": words.warnings(view),
        "parts": facts.rows(view),
        "labels": facts.label_names(view),
        "known": facts.known(evaluation.patients_known),
        "people": facts.people(view.data),
        "evaluated": facts.people(view.catalog) if view.external else [],
        "findings": [*run.findings, *(f for f in view.split.findings if f not in run.findings)],
        "most_groups": MOST_GROUPS,
        "key_values": method.key_values(view.resolved),
        "values": method.values(view.resolved),
        "pretrained": method.pretrained(run),
        "slices": method.slices(run),
        "calibration": method.calibration(run),
        "cautions": cautions,
        "overall": [line(e, told=cautions) for e in evaluation.overall()],
        "by_class": [line(e) for e in by_class],
        "added": (shown := added(run) if evaluation.name == "test" else None),
        "added_arms": [line(e, name) for name, e in shown.arms] if shown else [],
        "methods": {METHODS[e.method] for e in evaluation.overall()},
        "groups": [line(e, group_words(e.group)) for e in of_headline(view)],
        "classes_report": _classes_report(view),
        "mistaken": words.mistaken(view.cases),
        "left_out": [_left_out(note) for note in words.left_out(evaluation)],
        "fall": words.fall(view),
        "fallen": words.fallen(view),
        "named": facts.named(view.catalog),
        "unlike": words.unlike(view),
        "limits": limits.limits(view),
        "seconds": run.seconds,
        "commands": method.commands(run),
        "asked": method.asked(run),
        "versions": run.versions,
    }


def line(estimate: Estimate, title: str = "", told: Sequence[str] = ()) -> Line:
    """An estimate as a row. told: cautions that stand above the table."""
    low, high = _scale(estimate)
    ends = np.array([estimate.low, estimate.high, estimate.value])
    places = np.nan_to_num(np.clip((ends - low) / (high - low), 0, 1) * 100, nan=-1.0)
    left, right, point = (float(place) for place in places)
    return Line(
        title or estimate.title,
        words.meaning(estimate) if estimate.class_name is None and not title else "",
        numbers.value(estimate),
        numbers.interval(estimate),
        left,
        max(right - left, 0.5),
        point,
        "" if (low, high) == (0, 1) else f"{low:.3g} to {high:.3g}".replace("-", "−"),
        estimate.patients,
        estimate.cases,
        METHODS[estimate.method],
        estimate.reliable,
        "; ".join(said for said in estimate.note.split("; ") if said not in told),
    )


def sheets(view: View, raw: bool) -> list[Figure]:
    """The pictures that preprocessing left in the run: raw and augmented sheets, histograms.

    raw: whether the raw ones are among them; pictures of each class show the same.
    """
    found = sorted(view.run.sheets.glob("*.png"))
    titles = {path: path.stem.replace("_", " ").replace("-", " ").capitalize() for path in found}
    return [
        Figure(path.stem, title, SHEETS.get(path.stem, ""), png=path.read_bytes(), wide=True)
        for path, title in titles.items()
        if raw or path.stem != "raw"
    ]


def _scale(estimate: Estimate) -> tuple[float, float]:
    """The ends of a bar's scale: the metric's bounds, as far as they help to see."""
    try:
        least, most = metric(estimate.metric).bounds
    except UsageError:
        least, most = 0.0, 1.0
    low = estimate.low if np.isfinite(estimate.low) else 0.0
    high = estimate.high if np.isfinite(estimate.high) else 1.0
    left = 0.0 if least >= 0 else -1.0 if low >= -1 else max(low * 1.1, least)
    return left, 1.0 if high <= 1 else min(high * 1.1, most)


def _left_out(note: str) -> str:
    group, _, why = note.partition(": ")
    return f"{group_words(group)}: {why}"


def _classes_report(view: View) -> str:
    return classification_report(view.cases) if view.cases.classes and len(view.cases) else ""
