"""Some cases of a catalog as a catalog of its own, with a link of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from hounsfield.catalog import link
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError


def save_subset(catalog: Catalog, cases: Sequence[str], folder: Path) -> Catalog:
    """Write these cases with their images and masks into `folder`, and return that catalog.

    Pseudonyms stay the same: the link has the same key. It is its owner's alone, as the first.

    Raises:
        InputError: the catalog's link is gone or damaged.
        StorageError: the folder cannot be written to.
    """
    assert catalog.folder is not None
    chosen = catalog.select(cases)
    seen, key = link.load(catalog.folder)
    if key is None:
        raise InputError(
            "the catalog's link to its files is gone",
            file=catalog.folder,
            remedy="index the folder again into the same catalog folder",
        )
    masks = chosen.annotations["mask"].drop_nulls().to_list()
    wanted = [*chosen.images["image"].to_list(), *masks]
    link.save(seen.filter(pl.col("image").is_in(wanted)), key, folder)
    chosen.save(folder)
    return Catalog(chosen.images, chosen.cases, chosen.annotations, folder)
