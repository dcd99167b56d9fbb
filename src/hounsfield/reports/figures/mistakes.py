"""Where it fails: the pictures on which the model was most sure and wrong."""

from __future__ import annotations

import numpy as np

from hounsfield.errors import HounsfieldError
from hounsfield.metrics import METRICS, metric
from hounsfield.metrics.contract import UNKNOWN, Bools, Cases, Floats, Ints
from hounsfield.reports import numbers
from hounsfield.reports.figures import pictures
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "failures"
TITLE = "The most confident mistakes"
MOST = 8


def draw(view: View) -> list[Figure]:
    """A picture a mistake, of each true class in turn; a note where the files are gone."""
    rows = worst(view.cases, view.evaluation.headline)
    if not rows:
        return []
    try:
        shown = pictures.read(view.catalog, [view.image_of(row) for row in rows])
    except HounsfieldError as error:
        return [pictures.unavailable("mistakes", TITLE, error)]
    return [
        Figure(f"mistakes-{n + 1}", *_words(view, row), png=pictures.png(picture), small=True)
        for n, (row, picture) in enumerate(zip(rows, shown, strict=True))
    ]


def worst(cases: Cases, headline: str) -> list[int]:
    """Rows of the most confident mistakes, at most one a patient, of each true class in turn.

    A task without classes has its poorest values of the headline's column instead.
    """
    if not cases.classes:
        column = cases.columns.get(headline)
        if column is None:
            return []
        poorest = np.argsort(column if _higher_is_better(headline) else -column, kind="stable")
        return _first(poorest, ~np.isnan(column), cases)
    truth_probability, kind = _truth(cases)
    wrong = _wrong(cases)
    order = np.argsort(truth_probability, kind="stable")
    turns = [_first(order, wrong & (kind == k), cases) for k in np.unique(kind)]
    dealt = [rows[turn] for turn in range(MOST) for rows in turns if turn < len(rows)]
    return dealt[:MOST]


def _higher_is_better(name: str) -> bool:
    return name not in METRICS or metric(name).higher_is_better


def _truth(cases: Cases) -> tuple[Floats, Ints]:
    """(N,) the probability given to the truth (of the worst label), and the true class."""
    rows = np.arange(len(cases))
    if not cases.multilabel:
        return cases.probability[rows, cases.truth], cases.truth
    given = np.where(cases.truth == 1, cases.probability, 1 - cases.probability)
    given = np.where(_differs(cases), given, 1.0)
    label = given.argmin(axis=1)
    return given[rows, label], label.astype(np.int64)


def _wrong(cases: Cases) -> Bools:
    differs = _differs(cases)
    return np.any(differs, axis=1) if cases.multilabel else differs


def _differs(cases: Cases) -> Bools:
    """As the truth is: whether a decision is another; of what is not known, none is."""
    return np.not_equal(cases.truth, cases.decision) & np.not_equal(cases.truth, UNKNOWN)


def _first(order: Ints, allowed: Bools, cases: Cases) -> list[int]:
    """The first allowed rows, one a patient."""
    by_patient: dict[int, int] = {}
    for row in order.tolist():
        if allowed[row]:
            by_patient.setdefault(int(cases.cluster[row]), row)
    return list(by_patient.values())[:MOST]


def _words(view: View, row: int) -> tuple[str, str]:
    """Title and caption of one mistake."""
    cases, shown = view.cases, view.table.row(row, named=True)
    who = f"patient {shown['patient']}" if shown.get("patient") else f"image {shown['image']}"
    if not cases.classes:
        name = view.evaluation.headline
        return f"{name} {cases.columns[name][row]:.2f}", who
    if cases.multilabel:
        given, label = (x[row] for x in _truth(cases))
        name = cases.classes[int(label)]
        right = "has it" if cases.truth[row, label] else "does not have it"
        return (
            f"{name}: {right}",
            f"The model says otherwise, with {numbers.percent(1 - given, 1)}; {who}",
        )
    truth, decision = (cases.classes[int(x[row])] for x in (cases.truth, cases.decision))
    probability = cases.probability[row, cases.decision[row]]
    return (
        f"Truly {truth}",
        f"The model says {decision}, with {numbers.percent(probability, 1)}; {who}",
    )
