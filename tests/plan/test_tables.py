"""A table is refused where a task has no place for it."""

from __future__ import annotations

import polars as pl
import pytest

from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog
from hounsfield.errors import UsageError
from hounsfield.plan.tables import check_table
from hounsfield.tasks import load

CATALOG = Catalog(
    pl.DataFrame(schema=IMAGES),
    pl.DataFrame({"case": ["a", "b", "c"], "age": [20.0, 30.0, 40.0]}),
    pl.DataFrame(schema=ANNOTATIONS),
)


@pytest.mark.parametrize("name", ["segmentation", "detection"])
def test_what_places_things_in_an_image_takes_no_table(name: str) -> None:
    with pytest.raises(UsageError, match="a table has no place in it"):
        check_table(CATALOG, load(name), {"model.table": ("age",)})
    check_table(CATALOG, load(name), {})


def test_columns_are_looked_at() -> None:
    with pytest.raises(UsageError, match="did you mean 'age'"):
        check_table(CATALOG, load("classification"), {"model.table": ("agee",)})


def test_a_column_of_every_catalog_can_join() -> None:
    assert {"age", "sex", "view"} <= set(CASES)
    check_table(CATALOG, load("classification"), {"model.table": ("age",)})
