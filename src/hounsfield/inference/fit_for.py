"""Does other data fit a run? Refused before anything is read."""

from __future__ import annotations

from typing import Any

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.run import Run
from hounsfield.tasks.contract import Settings, Task


def check_fit(run: Run, catalog: Catalog) -> None:
    """Refuse data with other channels or slices than the run learned from.

    Raises:
        InputError: what differs, and what was expected.
    """
    learned = run.fingerprint
    names = {tuple(one["channel"] for one in inputs) for inputs in catalog.cases["inputs"]}
    for channels in sorted(names - {learned.channels}):
        raise InputError(
            f"the cases have the channels {', '.join(channels)}",
            file=catalog.folder,
            expected=f"{', '.join(learned.channels)}, as in the training data",
            remedy="index the data with the layout that names these channels",
        )
    depth = int(str(catalog.images["depth"].max() or 1))
    if depth > 1 and learned.depth == 1:
        raise InputError(
            f"an image has {depth} slices, but the run learned from single pictures",
            file=catalog.folder,
            remedy="choose one slice of each volume first",
        )


def check_labelled(catalog: Catalog, task: Task[Any, Any], settings: Settings) -> None:
    """Refuse to measure on data without labels of the run's task.

    Raises:
        InputError: no case has one.
    """
    if all(truth is None for truth in task.truths(catalog, settings)):
        raise InputError(
            f"none of the {catalog.cases.height} cases has a label of the run's task",
            file=catalog.folder,
            expected=f"labels of {task.NAME} as in the training data",
            remedy="`hounsfield predict` needs no labels",
        )
