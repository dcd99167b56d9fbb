from __future__ import annotations

import numpy as np
import pytest

from hounsfield.errors import InputError
from hounsfield.evaluation import age_band, age_bands, estimate, subgroups
from hounsfield.metrics import Cases, metric


def make(n: int = 200) -> Cases:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 2
    p = np.clip(0.3 + 0.4 * truth + rng.normal(0, 0.25, n), 0, 1)
    decision = (p > 0.5).astype(np.int64)
    return Cases(truth, np.stack([1 - p, p], axis=1), decision, ("no", "yes"), np.arange(n))


def test_each_group_is_estimated_alone() -> None:
    cases = make()
    sex = np.where(np.arange(200) < 80, "F", "M")
    found = subgroups([metric("auroc"), metric("f1")], cases, {"sex": sex})
    assert [(e.group, e.metric) for e in found.estimates] == [
        ("sex=F", "auroc"), ("sex=F", "f1"), ("sex=M", "auroc"), ("sex=M", "f1"),
    ]  # fmt: skip
    assert found.estimates[0] == estimate(metric("auroc"), cases.take(sex == "F"), "sex=F")
    assert found.estimates[0].cases == 80
    assert found.left_out == ()


def test_too_small_groups_are_named_and_unknown_ones_are_none() -> None:
    cases = make()
    view = np.array(["PA"] * 150 + ["LAT"] * 8 + [None] * 42, dtype=object)
    source = np.where(cases.truth == 1, "A", "B")
    found = subgroups([metric("accuracy")], cases, {"view": view, "source": source})
    assert [e.group for e in found.estimates] == ["view=PA"]
    assert found.left_out == (
        "view=LAT: only 8 patients", "source=A: no case of no", "source=B: no case of yes",
    )  # fmt: skip


def test_one_value_is_no_subgroup_and_a_short_column_is_refused() -> None:
    cases = make()
    assert subgroups([metric("accuracy")], cases, {"sex": np.full(200, "F")}).estimates == ()
    with pytest.raises(InputError, match="sex has 3 values"):
        subgroups([metric("accuracy")], cases, {"sex": np.array(["F", "M", "F"])})


def test_age_bands() -> None:
    ages = [0, 17.9, 18, 39.9, 40, 64.99, 65, 101, np.nan, -1]
    bands = ["<18", "<18", "18-39", "18-39", "40-64", "40-64", "65+", "65+", "", ""]
    assert age_bands(np.array(ages)).tolist() == bands
    assert age_band(None) == ""
