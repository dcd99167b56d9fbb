"""Several findings of which some are not known: learned from and measured where they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from hounsfield.catalog.tables import ANNOTATIONS, CASES, Catalog
from hounsfield.errors import InputError
from hounsfield.evaluation import Resampling, estimates
from hounsfield.evaluation.compare import paired_difference
from hounsfield.evaluation.confusion import confusion
from hounsfield.evaluation.estimate import patients_by_class
from hounsfield.metrics import metric, standard
from hounsfield.metrics.contract import Cases
from hounsfield.plan.cautions import of_labels
from hounsfield.preprocessing.mixing import Mix
from hounsfield.tasks import follows_from, load
from hounsfield.tasks.classification import TASK, Classes, ClassSettings
from hounsfield.tasks.contract import Batch, Wanted
from hounsfield.tasks.losses import label_loss, positive_weights

TWO = ClassSettings(classes=("mass", "edema"), multilabel=True)
QUICK = Resampling(50, 0)


def catalog(*notes: tuple[str, str, float | None]) -> Catalog:
    rows = [{"case": c, "kind": "value", "name": n, "value": v} for c, n, v in notes]
    names = sorted({note[0] for note in notes})
    made = pl.DataFrame({"case": names, "patient": names})
    made = made.with_columns(
        pl.lit(None, dtype=kind).alias(n) for n, kind in CASES.items() if n not in made.columns
    )
    return Catalog(pl.DataFrame(), made, pl.DataFrame(rows, schema=ANNOTATIONS))


def test_uncertain_empty_and_absent_values_are_not_negative() -> None:
    data = catalog(
        *[("a", "mass", 1.0), ("a", "edema", -1.0), ("b", "mass", 0.0), ("b", "edema", None)],
        *[("c", "mass", float("nan")), ("c", "edema", 1.0), ("d", "mass", 0.0), ("e", "mass", -1)],
    )
    assert follows_from(data) == "classification"
    settings = TASK.settings(data, "", {})
    assert settings == TWO
    a, b, c, d, e = TASK.truths(data, settings)
    assert [list(one) for one in (a, b, c, d)] == [[1, -1], [0, -1], [-1, 1], [0, -1]]
    assert e is None  # nothing is known of it
    assert TASK.strata(data, settings) == ["mass", "", "edema", "", ""]
    (told,) = of_labels(data, TASK, settings)
    assert "4 of 8 labels are not known" in told.text


@pytest.mark.parametrize(("value", "said"), [(1.0, "without a finding"), (0.0, "to have a")])
def test_findings_need_cases_with_and_without(value: float, said: str) -> None:
    data = catalog(("a", "mass", value), ("b", "edema", value))
    with pytest.raises(InputError, match=said):
        TASK.settings(data, "", {})


@pytest.mark.parametrize("focal", [0.0, 2.0])
@pytest.mark.parametrize("mixed", [False, True])
def test_nothing_is_learned_from_what_is_not_known(focal: float, mixed: bool) -> None:
    truth = torch.tensor([[1, -1], [0, 1], [-1, -1]])
    logits = torch.randn(3, 2, requires_grad=True)
    same = Mix(torch.arange(3), torch.full((3,), 0.5), torch.ones(3, 1, 1, 1))
    batch = Batch(torch.zeros(3, 1, 4, 4), Classes(truth, same if mixed else None))
    settings = TWO.model_copy(update={"focal": focal})
    network: Any = lambda images: logits  # noqa: E731
    loss = TASK.losses(network, batch, None, settings)["loss"]
    loss.backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, truth >= 0)
    known = [(0, 0), (1, 0), (1, 1)]
    each = [label_loss(logits[i, k], truth[i, k], None, focal=focal) for i, k in known]
    assert torch.allclose(loss, torch.stack(each).mean())


def test_weights_count_what_is_known() -> None:
    marks = np.array([[1, -1], [0, 1], [0, 0], [-1, 0], [0, 0]])
    assert positive_weights(marks).tolist() == [3, 3]


def some(n: int = 80) -> tuple[Cases, np.ndarray]:
    """Cases of two labels, the first known of two in three."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (n, 2))
    score = np.clip(0.3 + 0.3 * truth + rng.normal(0, 0.2, (n, 2)), 0.01, 0.99)
    hidden = truth.copy()
    hidden[::3, 0] = -1
    decision = (score > 0.5).astype(np.int64)
    return Cases(hidden, score, decision, ("mass", "edema"), np.arange(n)), hidden[:, 0] >= 0


def test_each_finding_is_measured_where_it_is_known() -> None:
    cases, known = some()
    alone = cases.take(known)
    for one in standard(cases.classes, multilabel=True):
        if one.class_name == "mass":
            assert one.point(cases) == pytest.approx(one.point(alone), nan_ok=True), one.name
    y, p = alone.truth[:, 0], alone.probability[:, 0]
    both = roc_auc_score(cases.truth[:, 1], cases.probability[:, 1])
    assert metric("auroc").point(cases) == pytest.approx((roc_auc_score(y, p) + both) / 2)
    assert metric("auprc", "mass").point(cases) == pytest.approx(average_precision_score(y, p))
    counts = confusion(cases).counts
    assert counts.sum((1, 2)).tolist() == [known.sum(), len(cases)]


def test_intervals_and_differences_rest_on_the_known_cases() -> None:
    cases, known = some()
    alone = cases.take(known)
    names = ("auroc", "recall", "specificity", "accuracy")
    asked = [metric(name, "mass") for name in names]
    here, there = (estimates(asked, one, "all", QUICK) for one in (cases, alone))
    assert here == there
    assert patients_by_class(asked[0], cases) == patients_by_class(asked[0], alone)
    assert {one.cases for one in here} == {int(known.sum()), *(one.cases for one in there)}
    other = replace(cases, probability=cases.probability[:, ::-1].copy())
    told = paired_difference(asked[0], cases, other, QUICK)
    assert told == paired_difference(asked[0], alone, other.take(known), QUICK)


def test_calibration_looks_at_known_labels_alone() -> None:
    cases, known = some()
    logits = np.log(cases.probability) - np.log1p(-cases.probability)
    wanted = Wanted()
    found = TASK.calibrate(list(logits), list(cases.truth), TWO, wanted)
    alone = TASK.calibrate(list(logits[known]), list(cases.truth[known]), TWO, wanted)
    assert found.temperatures[0] == pytest.approx(alone.temperatures[0])
    assert found.thresholds[0] == pytest.approx(alone.thresholds[0])
    nowhere = cases.truth.copy()
    nowhere[:, 0] = -1
    bare = TASK.calibrate(list(logits), list(nowhere), TWO, wanted)
    assert (bare.temperatures[0], bare.thresholds[0]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("0", "1", "2", "3", "4"), True),
        (("none", "mild", "moderate", "severe"), True),
        (("0", "1"), False),
        (tuple("0123456789"), False),
        (("mass", "edema", "normal"), False),
        (("10", "20", "30"), False),
    ],
)
def test_grades_taken_for_classes_are_told(classes: tuple[str, ...], told: bool) -> None:
    found = of_labels(
        catalog(("a", "x", 1.0)), load("classification"), ClassSettings(classes=classes)
    )
    assert ["--task ordinal would respect their order" in (one.remedy or "") for one in found] == [
        True
    ] * told
