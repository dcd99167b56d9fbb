"""What regression learns, in which units, and what its interval promises."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from hounsfield.catalog.tables import ANNOTATIONS, CASES, Catalog
from hounsfield.errors import InputError, UsageError
from hounsfield.metrics.recalibrate import margin, straightened
from hounsfield.tasks import follows_from
from hounsfield.tasks.contract import Batch, Calibration, Wanted
from hounsfield.tasks.regression import TASK, Numbers, NumberSettings

SETTINGS = NumberSettings(name="bone age", centre=100, scale=50)


def catalog(*notes: tuple[str, str, str, object], ages: list[float] | None = None) -> Catalog:
    """Cases a, b, c … with (case, kind, name, value or label)."""
    names = sorted({note[0] for note in notes}) or list("abcd")[: len(ages or [])]
    rows = [
        {"case": case, "kind": kind, "name": name, "value" if kind == "value" else "label": it}
        for case, kind, name, it in notes
    ]
    cases = {"case": names, "patient": names, "age": ages or [None] * len(names)}
    made = pl.DataFrame(cases, schema_overrides={"age": pl.Float64})
    made = made.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in CASES.items() if name not in cases
    )
    return Catalog(pl.DataFrame(), made, pl.DataFrame(rows, schema=ANNOTATIONS))


def test_the_task_follows_from_numbers_that_are_no_findings() -> None:
    numbers = [(c, "value", "EF", v) for c, v in zip("abc", (55.0, 31.5, 60.0), strict=True)]
    findings = [(c, "value", "mass", v) for c, v in zip("abc", (0.0, 1.0, 1.0), strict=True)]
    assert follows_from(catalog(*numbers)) == "regression"
    assert follows_from(catalog(*findings)) == "classification"
    both = catalog(*numbers, ("a", "class", "finding", "mass"))
    assert follows_from(both) == "classification"


def test_a_target_is_a_value_a_numeric_label_or_a_column() -> None:
    values = catalog(
        *[(c, "value", "EF", v) for c, v in zip("abcd", (10, 20, 30, 44), strict=True)]
    )
    labels = catalog(*[(c, "class", "level", v) for c, v in zip("ab", ("1.5", "7"), strict=True)])
    column = catalog(ages=[20.0, 40.0, 61.0])
    assert TASK.settings(values, "", {}).name == "EF"
    assert TASK.settings(labels, "", {}).name == "level"
    chosen = TASK.settings(column, "age", {})
    assert TASK.truths(column, chosen) == [20.0, 40.0, 61.0]
    assert TASK.truths(labels, TASK.settings(labels, "", {})) == [1.5, 7.0]


def test_several_readers_give_their_mean_and_an_unknown_value_none() -> None:
    notes = [("a", 10.0), ("a", 14.0), ("b", float("nan")), ("c", 3.0)]
    data = catalog(*[(case, "value", "EF", value) for case, value in notes])
    assert TASK.truths(data, TASK.settings(data, "", {})) == [12.0, None, 3.0]


@pytest.mark.parametrize(
    ("target", "said"), [("bone", "did you mean|no case has a number 'bone'"), ("", "no case has")]
)
def test_data_without_the_number_are_refused(target: str, said: str) -> None:
    data = catalog(("a", "class", "finding", "mass"), ("b", "class", "finding", "none"))
    with pytest.raises((InputError, UsageError), match=said):
        TASK.settings(data, target, {})


def test_equal_values_are_refused() -> None:
    data = catalog(("a", "value", "EF", 5.0), ("b", "value", "EF", 5.0))
    with pytest.raises(InputError, match="all 2 values of EF are 5"):
        TASK.settings(data, "", {})


def test_the_network_s_units_are_round_and_an_outlier_does_not_set_them() -> None:
    rng = np.random.default_rng(0)
    values = [*rng.normal(127, 41, 400), 1e6]
    data = catalog(*[(f"{i:03}", "value", "age", v) for i, v in enumerate(values)])
    chosen = TASK.settings(data, "", {})
    assert (chosen.centre, chosen.scale) == (125.0, 50.0)
    assert TASK.settings(data, "", {"scale": 3.5}).scale == 3.5


def test_the_target_may_not_be_given_to_the_network() -> None:
    choosing: Any = SimpleNamespace(asked={"model.table": ("sex", "age")})
    with pytest.raises(UsageError, match="age is what is predicted"):
        TASK.choose(choosing, NumberSettings(name="age"))


def test_a_split_shares_out_quarters_of_the_values() -> None:
    data = catalog(*[(f"{i:02}", "value", "x", float(i)) for i in range(40)])
    strata = TASK.strata(data, TASK.settings(data, "", {}))
    assert [strata.count(name) for name in dict.fromkeys(strata)] == [10, 10, 10, 10]
    assert strata[0] == "Q1: 0 to 9.75"


def test_predictions_come_back_in_the_target_s_unit() -> None:
    network: Any = lambda images: torch.tensor([[-1.0], [0.5]])  # noqa: E731
    assert TASK.predict(network, torch.zeros(2, 1, 4, 4), SETTINGS) == [50.0, 125.0]


@pytest.mark.parametrize(("loss", "expected"), [("l1", 1.25), ("mse", 2.125), ("huber", 0.8125)])
def test_losses(loss: str, expected: float) -> None:
    """By hand, of the errors 0.5 and 2: Huber's are 0.125 and 2 - 0.5."""
    network: Any = lambda images: torch.tensor([[1.0], [2.0]])  # noqa: E731
    batch = Batch(torch.zeros(2, 1, 4, 4), Numbers(torch.tensor([0.5, 0.0])))
    settings = SETTINGS.model_copy(update={"loss": loss})
    assert float(TASK.losses(network, batch, None, settings)["loss"]) == pytest.approx(expected)


def test_the_interval_covers_what_it_promises() -> None:
    """Of 300 studies of 60 validation cases and skewed errors, the mean coverage of new cases."""
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(300):
        errors = rng.exponential(3, 61) ** 2
        half, _ = margin(errors[:60])
        assert half is not None
        covered.append(errors[60] <= half)
    # Binomial of 300 at 0.95: 4 standard errors are 0.05
    assert 0.9 < np.mean(covered) <= 1.0
    exact, _ = margin(np.arange(1.0, 100.0))
    assert exact == 95.0  # the ceil(100 · 0.95)-th of 99


@pytest.mark.parametrize(("cases", "there"), [(18, False), (19, True)])
def test_too_few_cases_promise_nothing(cases: int, there: bool) -> None:
    half, why = margin(np.arange(float(cases)))
    assert (half is not None) == there
    assert str(cases) in why


def test_a_line_mends_what_is_bent_and_leaves_the_rest() -> None:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 200, 80)
    shrunk = 100 + 0.5 * (truth - 100) + rng.normal(0, 1, 80)
    line = straightened(shrunk, truth)
    assert line.slope == pytest.approx(2, abs=0.05)
    again = line.intercept + line.slope * shrunk
    assert np.abs(again - truth).mean() < np.abs(line.residuals).mean()  # fitted, left out
    right = truth + rng.normal(0, 9, 80)
    assert straightened(truth, right, wanted=False).slope == 1
    assert straightened(shrunk[:19], truth[:19]).slope == 1
    assert straightened(-shrunk, truth).slope == 1


def test_left_out_errors_are_those_of_leaving_out() -> None:
    rng = np.random.default_rng(3)
    predicted, truth = rng.normal(0, 1, 25), np.linspace(5, 30, 25)
    truth = truth[np.argsort(np.argsort(predicted))] * 3
    line = straightened(predicted, truth)
    assert line.slope != 1
    for i in (0, 7, 24):
        rest = np.arange(25) != i
        slope, intercept = np.polyfit(predicted[rest], truth[rest], 1)
        expected = truth[i] - intercept - slope * predicted[i]
        assert line.residuals[i] == pytest.approx(expected)


def test_rows_and_cases_tell_the_interval(tmp_path: Path) -> None:
    calibration = Calibration(line=(10.0, 2.0), margin=5.0)
    table = TASK.rows([20.0, 30.0], [53.0, 76.0], calibration, SETTINGS)
    assert table["prediction"].to_list() == [50.0, 70.0]
    assert table["low"].to_list() == [45.0, 65.0]
    table = table.with_columns(patient=pl.Series(["p", "q"]))
    table.write_csv(tmp_path / "p.csv")
    stored = pl.read_csv(tmp_path / "p.csv", schema_overrides={"prediction": pl.String})
    for one in (table, stored):
        cases = TASK.cases(one, [53.0, 76.0], SETTINGS)
        assert cases.columns["mae"].tolist() == [3.0, 6.0]
        assert cases.columns["coverage"].tolist() == [1.0, 0.0]
        values = {m.name: m.point(cases) for m in TASK.metrics(SETTINGS)}
        assert values["mae"] == 4.5
        assert values["coverage"] == 0.5


def test_without_validation_data_there_is_no_interval() -> None:
    table = TASK.rows([20.0], [None], Calibration(), SETTINGS)
    assert table.columns == ["prediction"]
    cases = TASK.cases(table.with_columns(patient=pl.lit("p")), [21.0], SETTINGS)
    assert np.isnan(cases.columns["coverage"]).all()


def test_calibration_survives_storage() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(0, 100, 40)
    found = TASK.calibrate(truth + rng.normal(0, 2, 40), truth.tolist(), SETTINGS, Wanted())
    assert found.margin is not None
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_units_are_measured_on_the_training_part_alone() -> None:
    values = [*np.linspace(10, 50, 30), *np.linspace(5000, 9000, 10)]
    notes = [(f"{i:02}", "value", "EF", v) for i, v in enumerate(values)]
    every, training = catalog(*notes), catalog(*notes[:30])
    told = list(TASK.measured(training, TASK.settings(every, "", {})))
    assert {one.path: one.value for one in told} == {
        "task.settings.centre": 30.0,
        "task.settings.scale": 20.0,
    }
    assert {one.by for one in told} == {"measured"}
    equal = catalog(("a", "value", "EF", 5.0), ("b", "value", "EF", 5.0))
    assert list(TASK.measured(equal, NumberSettings(name="EF"))) == []
