"""Refusals that need no pixel: told before anything is read, audited or prepared."""

from __future__ import annotations

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.models import load as load_network
from hounsfield.plan.asked import Asked, typed, under
from hounsfield.plan.device import check_device
from hounsfield.tasks import load as load_task


def check_asked(asked: Asked) -> None:
    """Refuse what was asked for where no data can make it right.

    Raises:
        UsageError: no such task, network, setting of it or device.
        InputError: no such weights file, none in the cache, or none on the hub.
    """
    name = asked.get("model.name")
    if "task.name" in asked:
        name = name or load_task(asked["task.name"]).NETWORK
    if name:
        given = under(asked, "model.settings.")
        typed(load_network(name).Settings, given, "model.settings", name)
    if "training.device" in asked:
        check_device(asked["training.device"])
    if weights := asked.get("model.weights", ""):
        from hounsfield.models.weight_sources import check_source

        check_source(str(weights), str(asked.get("model.name", "")))


def check_inputs(catalog: Catalog, dimensions: tuple[int, ...]) -> None:
    """Refuse cases whose images no network can take together.

    Raises:
        InputError: volumes where pictures alone can be learned from, several numbers of
            channels (colour among grey is none: it becomes grey), several sets of inputs.
    """
    used = catalog.cases["inputs"].explode().struct.field("image")
    images = catalog.images.filter(pl.col("image").is_in(used.to_list()))
    deep = images.filter(pl.col("depth") > 1)
    counts = images["channels"].replace(3, 1).value_counts(sort=True)
    names = catalog.cases["inputs"].list.eval(pl.element().struct.field("channel")).list.join("+")
    inputs = names.value_counts(sort=True)
    if deep.height and 3 not in dimensions:
        problem = f"{deep.height} of {images.height} images are volumes of several slices"
        expected = "one 2-D picture for each case: this task does not learn from volumes yet"
    elif counts.height > 1:
        told = ", ".join(f"{many:,} have {n}" for n, many in counts.rows())
        problem = f"the images differ in their number of channels: {told}"
        expected = "as many channels in each image; colour among grey becomes grey"
    elif inputs.height > 1:
        told = ", ".join(f"{many:,} have {name}" for name, many in inputs.rows())
        problem, expected = f"the cases differ in their inputs: {told}", "the same inputs in each"
    else:
        return
    remedy = "take the odd ones out, or save slices and channels as pictures of their own"
    raise InputError(problem, file=catalog.folder, expected=expected, remedy=remedy)
