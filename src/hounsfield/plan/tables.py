"""A table that joins the image: refused before any image is read, where it cannot."""

from __future__ import annotations

from typing import Any

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import UsageError
from hounsfield.plan.asked import Asked
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks.contract import Task

WHOLE = {"class", "value"}  # annotations of a whole image


def check_table(catalog: Catalog, task: Task[Any, Any], asked: Asked) -> None:
    """Refuse columns that the cases do not have, that say nothing, or that a task cannot use.

    Raises:
        UsageError: no such column, or a task that places things in the image.
        InputError: a column is empty, the same everywhere, or tells single cases apart.
    """
    names = asked.get("model.table", ())
    if not names:
        return
    if not WHOLE & set(task.ANNOTATIONS):
        raise UsageError(
            f"{task.NAME} places things in an image: a table has no place in it",
            expected="a task with one answer for the whole image, e.g. classification",
            remedy="leave --table out",
        )
    TableSpec.fit(catalog.cases, names)
