"""An evaluation of stored predictions: every metric with its interval, over all and by subgroup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.evaluation.bootstrap import Resampling
from hounsfield.evaluation.compare import Difference, fall
from hounsfield.evaluation.estimate import estimates
from hounsfield.evaluation.record import Evaluation
from hounsfield.evaluation.subgroups import age_bands, subgroups
from hounsfield.metrics.classification import actual
from hounsfield.metrics.contract import UNKNOWN, Cases
from hounsfield.plan.schema import EvaluationPlan
from hounsfield.tasks.contract import Settings, Task

ABSENT = "No case of "  # begins the note that must be read before all others
FACTS = ("sex", "age", "view", "source")


@dataclass(frozen=True, eq=False)
class Tested:
    """Labelled cases with their predictions: what an evaluation is made of."""

    name: str
    table: pl.DataFrame  # predictions.csv of the labelled cases, with FACTS
    truths: Sequence[Any]
    cases: Cases


def tested(
    name: str, table: pl.DataFrame, catalog: Catalog, task: Task[Any, Any], settings: Settings
) -> Tested:
    """The labelled rows of a prediction table, with what is known of each case.

    Raises:
        InputError: no case has a label of this task.
    """
    truths = dict(zip(catalog.cases["case"], task.truths(catalog, settings), strict=True))
    facts = catalog.cases.select("case", "patient_known", *FACTS)
    joined = table.join(facts, left_on="image", right_on="case", how="left", maintain_order="left")
    labelled = joined.filter(pl.Series([truths.get(c) is not None for c in joined["image"]]))
    if not labelled.height:
        raise InputError(
            f"none of the {table.height} cases has a label, so there is nothing to measure",
            file=catalog.folder,
            expected=f"labels of {task.NAME} as in the training data",
            remedy="`hounsfield predict` needs no labels",
        )
    mine = [truths[case] for case in labelled["image"]]
    return Tested(name, labelled, mine, task.cases(labelled, mine, settings))


def evaluate(
    data: Tested,
    task: Task[Any, Any],
    settings: Settings,
    plan: EvaluationPlan,
    internal: Evaluation | None = None,
) -> Evaluation:
    """All metrics with intervals; the headline also by sex, age band, view and source.

    `internal` is the evaluation on the run's own test part, from which the fall is measured.
    """
    metrics = task.metrics(settings)
    resampling = Resampling(plan.resamples, plan.seed)
    found = estimates(metrics, data.cases, "all", resampling)
    columns = {
        "sex": data.table["sex"].to_numpy(),
        "age": age_bands(data.table["age"].cast(pl.Float64).to_numpy()),
        "view": data.table["view"].to_numpy(),
        "source": data.table["source"].to_numpy(),
    }
    groups = subgroups(metrics[:1], data.cases, columns, resampling)
    known = data.table["patient_known"].fill_null("unknown")
    headline = found[0]
    return Evaluation(
        name=data.name,
        task=task.NAME,
        headline=headline.metric,
        cases=len(data.cases),
        patients=data.cases.patients,
        patients_known={str(k): int(n) for k, n in known.value_counts(sort=True).rows()},
        classes=data.cases.classes,
        estimates=(*found, *groups.estimates),
        fall=_fall(internal, headline),
        unlike=_unlike(data.table),
        notes=(*_notes(data), *groups.left_out),
    )


def _fall(internal: Evaluation | None, headline: Any) -> Difference | None:
    return fall(internal.first(), headline) if internal is not None else None


def _unlike(table: pl.DataFrame) -> int:
    return int((table["unlike"].fill_null("") != "").sum()) if "unlike" in table.columns else 0


def _notes(data: Tested) -> tuple[str, ...]:
    """What a reader must know before believing a number."""
    notes = [*_absent(data.cases), *_partly_known(data.cases)]
    known = set(data.table["patient_known"].fill_null("unknown").to_list())
    if "unknown" in known:
        notes.append("Patients are unknown for some images: the intervals are per image there.")
    if "guessed" in known:
        notes.append("Patients are guessed from file names: intervals may be too narrow.")
    return tuple(notes)


def _partly_known(cases: Cases) -> list[str]:
    """How many of several labels are not known."""
    unknown = int((cases.truth == UNKNOWN).sum()) if cases.multilabel else 0
    if not unknown:
        return []
    return [
        f"{unknown:,} of {cases.truth.size:,} labels are not known: each finding is measured on "
        "the cases in which it is known to be there or absent."
    ]


def _absent(cases: Cases) -> list[str]:
    """The classes that no case has, in a sentence: the gravest lack of a test."""
    missing = [name for k, name in enumerate(cases.classes) if not actual(cases, k).any()]
    if not missing:
        return []
    return [
        f"{ABSENT}{', '.join(missing)}: some metrics cannot be computed, and the others do not "
        f"tell how well {'it is' if len(missing) == 1 else 'they are'} recognised."
    ]
