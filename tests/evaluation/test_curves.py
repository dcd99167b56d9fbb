from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as sk

from hounsfield.evaluation import Curve, Resampling, pr_curve, roc_curve

FEW = Resampling(200)


def make(n: int = 300, shift: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    positive = rng.random(n) < 0.4
    return positive, np.round(rng.normal(size=n) + shift * positive, 1)


def test_roc_as_scikit_learn() -> None:
    positive, score = make()
    curve = roc_curve(positive, score, np.arange(300), FEW)
    false_rate, true_rate, _ = sk.roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose((curve.x, curve.y), (false_rate, true_rate), atol=1e-12)
    area = float(np.trapezoid(curve.y, curve.x))
    assert area == pytest.approx(sk.roc_auc_score(positive, score), abs=1e-12)
    assert curve.chance is None


def test_pr_as_scikit_learn() -> None:
    positive, score = make()
    curve = pr_curve(positive, score, np.arange(300), FEW)
    precision, recall, _ = sk.precision_recall_curve(positive, score)
    np.testing.assert_allclose((curve.x, curve.y), (recall[-2::-1], precision[-2::-1]), atol=1e-12)
    assert curve.chance == positive.mean()


@pytest.mark.parametrize("make_curve", [roc_curve, pr_curve])
def test_band_holds_the_curve_and_patients_widen_it(make_curve: Callable[..., Curve]) -> None:
    positive, score = make()
    alone = make_curve(positive, score, np.arange(300), FEW)
    middle = np.interp(alone.grid, alone.x, alone.y)
    if alone.kind == "roc":
        assert np.all((alone.low <= middle + 1e-12) & (middle <= alone.high + 1e-12))
    assert np.all((alone.low >= 0) & (alone.high <= 1))
    six = np.repeat(np.arange(300), 6)
    widths = []
    for cluster in (six, np.arange(1800)):
        curve: Curve = make_curve(positive[six], score[six], cluster, FEW)
        widths.append((curve.high - curve.low)[20:80].mean())
    assert widths[0] > 1.8 * widths[1]


def test_a_perfect_curve_has_a_band() -> None:
    positive = np.arange(60) < 30
    curve = roc_curve(positive, positive.astype(float), np.arange(60), FEW)
    assert np.all(curve.high[1:] == 1)
    assert np.all(curve.low[:-1] == pytest.approx(0.8865, abs=1e-3))  # Wilson, 30 of 30
    assert curve.low[-1] == 1


def test_one_class_has_no_curve() -> None:
    for make_curve in (roc_curve, pr_curve):
        curve = make_curve(np.ones(5, bool), np.arange(5.0), np.arange(5), FEW)
        assert len(curve.x) == 0
        assert np.isnan(curve.low).all()
