"""The range test: a rate before the one that bursts, of a curve that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import hounsfield as hf
from hounsfield.errors import RunError, UsageError
from hounsfield.training.rates import FIRST, smoothed, spaced, suggest

RATES = spaced(1e-6, 1.0, 100)


def test_rates_grow_by_one_factor() -> None:
    assert len(RATES) == 100
    assert (RATES[0], RATES[-1]) == pytest.approx((1e-6, 1.0))
    assert np.diff(np.log(RATES)) == pytest.approx(np.log(1e6) / 99)


def test_a_running_mean_starts_where_the_losses_do() -> None:
    assert smoothed([3.0, 3.0, 3.0]) == pytest.approx([3, 3, 3])
    assert smoothed([1.0, 0.0]) == pytest.approx([1, 0.09 / 0.19])


def test_the_steepest_place_of_a_known_curve() -> None:
    """A logistic fall about 1e-3, then a burst."""
    at = np.log10(RATES)
    losses = 2 - 1 / (1 + np.exp(-4 * (at + 3))) + np.where(at > -1.5, 50 * (at + 1.5) ** 2, 0)
    rate, reason = suggest(RATES, losses)
    assert rate is not None
    assert rate == pytest.approx(1e-3, rel=0.2)
    assert "falls fastest" in reason
    burst = [*losses[:80], float("nan")]
    assert suggest(RATES[:81], burst)[0] == pytest.approx(1e-3, rel=0.2)


@pytest.mark.parametrize("losses", [[1.0] * 100, [1.0] * FIRST, np.linspace(1, 9, 100), [np.nan]])
def test_no_rate_is_made_up(losses: Any) -> None:
    assert suggest(RATES[: len(losses)], losses)[0] is None


def test_a_sweep_of_a_real_network(
    tiny_data: Path, tiny_plan: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "rates"
    found = hf.find_rate(tiny_data, tiny_plan, out=out, between=(1e-4, 30.0), steps=60)
    assert found.suggested is not None
    assert 1e-4 < found.suggested < 3
    table = pl.read_csv(out / "rates.csv")
    assert table.columns == ["learning_rate", "loss", "smoothed"]
    assert table["loss"].to_list() == pytest.approx(list(found.losses), rel=1e-5)
    assert (out / "rates.png").stat().st_size > 5000
    assert sorted(path.name for path in out.iterdir()) == ["plan.catalog", "rates.csv", "rates.png"]
    with pytest.raises(RunError, match="rates already"):
        hf.find_rate(tiny_data, tiny_plan, out=out)
    again = hf.find_rate(
        out / "plan.catalog", tiny_plan, out=tmp_path / "again", between=(1e-4, 30.0), steps=60
    )
    assert again == found
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
        "rates.csv",
        "rates.png",
    ]


@pytest.mark.parametrize(
    ("between", "steps"), [((1.0, 0.1), 50), ((0.0, 1.0), 50), ((0.1, 1.0), 3)]
)
def test_a_range_that_does_not_rise(
    between: tuple[float, float], steps: int, tiny_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="steps"):
        hf.find_rate(tiny_data, out=tmp_path / "rates", between=between, steps=steps)
    assert not list(tmp_path.iterdir())


def test_a_plan_that_does_not_fit_leaves_nothing(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resnet81"):
        hf.find_rate(tiny_data, {"model.name": "resnet81"}, out=tmp_path / "rates")
    assert not list(tmp_path.iterdir())
