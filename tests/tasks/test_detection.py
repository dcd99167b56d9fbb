"""Boxes: what is known of a case, and one box for each object."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog
from hounsfield.errors import InputError
from hounsfield.inference.fit_for import check_labelled
from hounsfield.metrics.detection import rsna_score
from hounsfield.tasks.contract import Calibration
from hounsfield.tasks.detection import TASK, BoxSettings, Found

SETTINGS = BoxSettings(name="opacity", labels=("opacity",))
LEFT, RIGHT = [1.0, 2.0, 5.0, 9.0], [20.0, 3.0, 26.0, 12.0]


def catalog(*said: dict) -> Catalog:
    """Three cases, with these annotations."""
    cases = pl.DataFrame({"case": ["a", "b", "c"]}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in CASES.items() if name != "case"
    )
    return Catalog(pl.DataFrame(schema=IMAGES), cases, pl.DataFrame(said, schema=ANNOTATIONS))


def test_a_case_without_a_box_is_known_to_have_none_where_others_have_some() -> None:
    one = catalog({"case": "b", "kind": "box", "name": "opacity", "box": LEFT})
    truths = TASK.truths(one, SETTINGS)
    assert [truth is not None and truth.boxes.tolist() for truth in truths] == [[], [LEFT], []]
    assert TASK.strata(one, SETTINGS) == ["none", "boxes", "none"]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"kind": "class", "name": "opacity", "label": "yes"},
        {"kind": "box", "name": "nodule", "box": LEFT},
    ],
)
def test_where_nobody_drew_a_box_nothing_is_known(said: dict) -> None:
    bare = catalog(*[{"case": "b", **said}] if said else [])
    truths = TASK.truths(bare, SETTINGS)
    assert truths == [None, None, None]
    assert [TASK.label(truth, SETTINGS) for truth in truths] == ["", "", ""]
    with pytest.raises(InputError, match="none of the 3 cases has a label"):
        check_labelled(bare, TASK, SETTINGS)
    nothing = Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    rows = TASK.rows([nothing] * 3, truths, Calibration(), SETTINGS)
    assert rows.columns == ["prediction"]


def test_of_one_object_the_surest_box_stays() -> None:
    near = [1.0, 2.0, 5.5, 9.0]
    one = Found(np.array([LEFT, RIGHT]), np.array([0.6, 0.3]), np.array([1, 1]))
    other = Found(np.array([near]), np.array([0.8]), np.array([1]))
    both = TASK.combine([one, other])
    assert both.boxes.tolist() == [near, RIGHT]
    assert both.scores.tolist() == [0.8, 0.3]
    assert rsna_score(np.array([LEFT, RIGHT]), both.boxes, both.scores) == 1
