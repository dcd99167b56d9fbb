"""Refusals that need no pixel: told before anything is read, audited or prepared."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.models import load as load_network
from hounsfield.plan.asked import Asked, typed, under
from hounsfield.plan.device import check_device
from hounsfield.tasks import load as load_task

CHANNELS = (1, 3)  # grey and colour


def check_asked(asked: Asked) -> None:
    """Refuse what was asked for where no data can make it right.

    Raises:
        UsageError: no such task, network, setting of it or device.
        InputError: no such weights file.
    """
    if "task.name" in asked:
        load_task(asked["task.name"])
    if "model.name" in asked:
        network = load_network(asked["model.name"])
        given = under(asked, "model.settings.")
        typed(network.Settings, given, "model.settings", asked["model.name"])
    if "training.device" in asked:
        check_device(asked["training.device"])
    weights = asked.get("model.weights", "")
    if weights not in ("", "hub") and not Path(weights).is_file():
        raise InputError(
            "there is no such weights file",
            file=weights,
            expected="a .safetensors or PyTorch file, or hub",
            remedy="check --model.weights",
        )


def check_pictures(catalog: Catalog) -> None:
    """Refuse volumes, and pictures of other channels than grey or colour.

    Raises:
        InputError: how many there are, and what was expected.
    """
    used = catalog.cases["inputs"].explode().struct.field("image")
    images = catalog.images.filter(pl.col("image").is_in(used.to_list()))
    deep = images.filter(pl.col("depth") > 1)
    odd = images.filter(~pl.col("channels").is_in(CHANNELS))
    several = catalog.cases.filter(pl.col("inputs").list.len() > 1)
    if deep.height:
        problem = f"{deep.height} of {images.height} images are volumes of several slices"
    elif odd.height:
        counts = ", ".join(str(count) for count in odd["channels"].unique().sort())
        problem = f"{odd.height} of {images.height} images have {counts} channels"
    elif several.height:
        problem = f"{several.height} of {catalog.cases.height} cases have several images each"
    else:
        return
    raise InputError(
        problem,
        file=catalog.folder,
        expected="one 2-D picture of 1 or 3 channels for each case: others cannot be learned yet",
        remedy="save single slices or channels as pictures of their own, or take these files out",
    )
