"""Public data sets' layouts: one file each, behind one list."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.layouts.contract import Layout
from hounsfield.errors import InputError, UsageError, did_you_mean

# name -> module, imported when first needed; asked in this order, the most particular first
LAYOUTS = {
    "rsna-pneumonia": "hounsfield.catalog.layouts.rsna_pneumonia",
    "cohen-covid": "hounsfield.catalog.layouts.cohen_covid",
    "covid-radiography": "hounsfield.catalog.layouts.covid_radiography",
    "autopet": "hounsfield.catalog.layouts.autopet",
    "brats": "hounsfield.catalog.layouts.brats",
    "dsb2017": "hounsfield.catalog.layouts.dsb2017",
    "nih-chestxray14": "hounsfield.catalog.layouts.nih_chestxray14",
    "isic": "hounsfield.catalog.layouts.isic",
    "aptos": "hounsfield.catalog.layouts.aptos",
    "kvasir": "hounsfield.catalog.layouts.kvasir",
    "medmnist": "hounsfield.catalog.layouts.medmnist",
    "kaggle-digits": "hounsfield.catalog.layouts.kaggle_digits",
    "video-intervals": "hounsfield.catalog.layouts.video_intervals",
    "class-folders": "hounsfield.catalog.layouts.class_folders",
    "table": "hounsfield.catalog.layouts.table",
    "files": "hounsfield.catalog.layouts.files",  # anything else: every readable file, no labels
}


def load(name: str) -> Layout:
    """The module of a layout by its name."""
    if name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}", remedy=did_you_mean(name, LAYOUTS))
    return cast("Layout", importlib.import_module(LAYOUTS[name]))


def noticed(name: str, root: Path) -> list[Finding]:
    """What a layout passed over; most tell nothing."""
    tell = getattr(load(name), "noticed", None)
    return tell(root) if tell else []


def table_rows(name: str, root: Path) -> Mapping[str, int]:
    """By an image's name, the row of the data set's own table that tells of it and of others."""
    tell = getattr(load(name), "table_rows", None)
    return tell(root) if tell else {}


def recognise(root: Path) -> str:
    """The name of the first layout that knows this folder or file.

    Raises:
        InputError: there is no such folder or file, or no permission to open it.
    """
    if not root.exists():
        raise InputError(
            "there is no such folder or file", file=root, remedy="check the path for a typing error"
        )
    if root.is_dir():
        refuse_closed(root)
    return next(name for name in LAYOUTS if load(name).recognise(root))


def refuse_closed(root: Path) -> None:
    """Refuse a folder that cannot be listed, which would look empty."""
    try:
        os.scandir(root).close()
    except OSError as error:
        raise InputError(
            f"the folder cannot be opened ({error.strerror})",
            file=root,
            remedy="ask its owner for permission, or copy it",
        ) from error
