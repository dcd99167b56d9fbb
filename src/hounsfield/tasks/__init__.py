"""What can be learned: one file a task, behind one list."""

from __future__ import annotations

import importlib
from typing import Any, cast

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.tasks.contract import Task
from hounsfield.tasks.labels import FINDING

# name -> module, imported when first needed; the first whose annotations are there is the default
TASKS = {
    "classification": "hounsfield.tasks.classification",
    "segmentation": "hounsfield.tasks.segmentation",
    "detection": "hounsfield.tasks.detection",
    "ordinal": "hounsfield.tasks.ordinal",
    "regression": "hounsfield.tasks.regression",
}


def load(name: str) -> Task[Any, Any]:
    """A task by its name."""
    if name not in TASKS:
        raise UsageError(f"no task {name!r}", remedy=did_you_mean(name, TASKS))
    return cast("Task[Any, Any]", importlib.import_module(TASKS[name]).TASK)


def follows_from(catalog: Catalog) -> str:
    """The task that a catalog's annotations ask for.

    Values of 0 and 1 (and -1, not known) are findings; other values are numbers to be predicted,
    where there is nothing else to learn.

    Raises:
        InputError: nothing is annotated.
    """
    kinds = set(catalog.annotations["kind"].unique())
    values = catalog.annotations["value"].drop_nulls().drop_nans()
    if kinds == {"value"} and not set(values.unique()) <= FINDING:
        return "regression"
    for name in TASKS:
        if kinds & set(load(name).ANNOTATIONS):
            return name
    raise InputError(
        "no image has a label, so there is nothing to learn",
        file=catalog.folder,
        expected="classes, masks or boxes: class folders, a table with a label column, or a "
        "public data set's own layout",
        remedy="put the images into one folder a class (`hounsfield layouts` lists the rest), "
        "then index again",
    )
