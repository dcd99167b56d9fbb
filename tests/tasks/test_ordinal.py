"""Grades keep their order: in the targets, the probabilities and the calibration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from hounsfield.catalog.tables import ANNOTATIONS, Catalog
from hounsfield.errors import InputError, UsageError
from hounsfield.tasks.contract import Batch, Calibration, Wanted
from hounsfield.tasks.ordinal import TASK, Grades, GradeSettings

SETTINGS = GradeSettings(classes=("0", "1", "2", "3"), name="grade")


def catalog(**grades: object) -> Catalog:
    kind = "class" if isinstance(next(iter(grades.values())), str) else "value"
    column = "label" if kind == "class" else "value"
    rows = [{"case": c, "kind": kind, "name": "grade", column: g} for c, g in grades.items()]
    cases = pl.DataFrame({"case": list(grades), "patient": list(grades)})
    return Catalog(pl.DataFrame(), cases, pl.DataFrame(rows, schema=ANNOTATIONS))


def test_numbers_stand_by_size_also_ten() -> None:
    data = catalog(a="10", b="2", c="0", d="2")
    settings = TASK.settings(data, "", {})
    assert settings.classes == ("0", "2", "10")
    assert TASK.truths(data, settings) == [2, 1, 0, 1]
    values = catalog(a=3.0, b=1.0, c=float("nan"))
    assert TASK.settings(values, "", {}).classes == ("1", "3")
    assert TASK.truths(values, TASK.settings(values, "", {})) == [1, 0, None]


def test_words_need_their_order_from_the_user() -> None:
    data = catalog(a="mild", b="severe", c="none")
    with pytest.raises(InputError, match="order of the grades is not known"):
        TASK.settings(data, "", {})
    asked = {"classes": ("none", "mild", "severe")}
    settings = TASK.settings(data, "", asked)
    assert TASK.truths(data, settings) == [1, 2, 0]
    with pytest.raises(UsageError, match="no case is graded 'sever'"):
        TASK.settings(data, "", {"classes": ("none", "sever")})
    with pytest.raises(UsageError, match="named twice"):
        TASK.settings(data, "", {"classes": ("none", "none")})
    with pytest.raises(UsageError, match="nothing is graded as 'age'"):
        TASK.settings(data, "age", {})


def test_one_grade_is_refused() -> None:
    with pytest.raises(InputError, match="have one grade, '1'"):
        TASK.settings(catalog(a="1", b="1"), "", {})


@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
def test_probabilities_fall_by_construction(logits: list[float]) -> None:
    table = TASK.rows([np.array(logits)], [None], Calibration(), SETTINGS)
    p = table.select("p_0", "p_1", "p_2", "p_3").to_numpy()[0]
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1)
    reach = np.cumprod(expit(logits))
    assert 1 - p[0] == pytest.approx(reach[0], abs=1e-12)
    grade = int(table["prediction"][0])
    assert p[: grade + 1].sum() >= 0.5 - 1e-9  # the median
    assert p[grade:].sum() >= 0.5 - 1e-9


def test_the_loss_is_the_likelihood_of_the_grades() -> None:
    """The sum over the asked cuts is -log p of each grade, times its number of cuts."""
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.2, 0.4, -0.7], [-2.0, 0.1, 0.0]])
    truth = [3, 1, 0]
    batch = Batch(torch.zeros(3, 1, 4, 4), Grades(torch.tensor(truth)))
    network: Any = lambda images: logits  # noqa: E731
    found = TASK.losses(network, batch, None, SETTINGS)["loss"]
    table = TASK.rows(list(logits.double().numpy()), [None] * 3, Calibration(), SETTINGS)
    p = table.select("p_0", "p_1", "p_2", "p_3").to_numpy()
    expected = -np.log(p[np.arange(3), truth]).sum() / (3 + 2 + 1)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_one_temperature_is_found_and_undone() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (800, 3))
    p = TASK.rows(list(logits), [None] * 800, Calibration(), SETTINGS).drop("prediction").to_numpy()
    truth = [int(rng.choice(4, p=row / row.sum())) for row in p]
    hot = list(3 * logits)  # three times too sure
    found = TASK.calibrate(hot, truth, SETTINGS, Wanted())
    assert found.temperatures[0] == pytest.approx(3, rel=0.15)
    assert "cuts" in found.reasons[0]
    table = TASK.rows(hot, truth, found, SETTINGS).with_columns(patient=pl.lit("p"))
    cases = TASK.cases(table, truth, SETTINGS)
    before = TASK.uncalibrated(cases, found, SETTINGS)
    raw = TASK.rows(hot, truth, Calibration(), SETTINGS).drop("prediction").to_numpy()
    np.testing.assert_allclose(before.probability, raw, atol=1e-9)
    assert TASK.calibrate(hot, truth, SETTINGS, Wanted(temperature=False)).temperatures == (1.0,)


@pytest.mark.parametrize(
    ("counts", "balance"), [({"0": 50, "1": 10}, "none"), ({"0": 51, "1": 10}, "sampling")]
)
def test_rare_grades_are_drawn_more_often(counts: dict[str, int], balance: str) -> None:
    choosing: Any = SimpleNamespace(fingerprint=SimpleNamespace(classes=counts))
    chosen = {choice.path: choice for choice in TASK.choose(choosing, SETTINGS)}
    assert chosen["training.balance"].value == balance


def test_metrics_of_all_of_each_cut_and_of_each_grade() -> None:
    found = TASK.metrics(SETTINGS)
    assert found[0].name == "kappa"
    cuts = [one.class_name for one in found if one.name == "auroc_from"]
    assert cuts == [None, "1", "2", "3"]
