"""Which labels a segmentation learns: all that stand in its masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, LINK, Catalog
from hounsfield.errors import InputError
from hounsfield.image import Image
from hounsfield.tasks.segmentation import TASK


def masked(folder: Path, masks: Sequence[NDArray]) -> Catalog:
    """A case for each mask; only what the task reads of a catalog is there."""
    names = [f"c{row}" for row in range(len(masks))]
    for name, mask in zip(names, masks, strict=True):
        formats.write(Image.from_numpy(mask), folder / f"{name}.npy")
    link = {"image": names, "root": str(folder), "paths": [[f"{name}.npy"] for name in names]}
    _table(link, LINK).write_parquet(folder / "link.parquet")
    said = {"case": names, "kind": "mask", "name": "lung", "mask": names}
    return Catalog(
        _table({"image": names}, IMAGES),
        _table({"case": names}, CASES),
        _table(said, ANNOTATIONS),
        folder,
    )


def _table(rows: dict, schema: dict) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema_overrides={k: v for k, v in schema.items() if k in rows})
    missing = (pl.lit(None, schema[name]).alias(name) for name in schema if name not in rows)
    return table.with_columns(missing).select(*schema)


def lungs(*labels: int, kind: type = np.uint8) -> NDArray:
    """A body with a left and a right: one pixel of each label, above and to the left."""
    mask = np.zeros((6, 9), kind)
    for row, label in enumerate(labels):
        mask[row, row] = label
    return mask


def test_a_label_that_stands_in_the_last_mask_alone_is_learned(tmp_path: Path) -> None:
    catalog = masked(tmp_path, [lungs(), *[lungs(1)] * 40, lungs(1, 7)])
    assert TASK.settings(catalog, "lung", {}).labels == (1, 7)
    assert TASK.outputs(TASK.settings(catalog, "", {})) == 3


def test_whole_numbers_of_any_type_are_labels(tmp_path: Path) -> None:
    catalog = masked(tmp_path, [lungs(2, kind=np.float32), lungs(255, kind=np.uint16)])
    assert TASK.settings(catalog, "", {}).labels == (2, 255)


def test_what_will_be_refused_brings_no_label(tmp_path: Path) -> None:
    soft, far = lungs(1, kind=np.float32) / 2, lungs(300, kind=np.int16)
    odd = lungs(5, kind=np.float32) * np.nan
    catalog = masked(tmp_path, [soft, far, lungs(-1, kind=np.int16), odd, lungs(3), lungs(9)])
    (tmp_path / "c5.npy").write_bytes(b"no mask")
    assert TASK.settings(catalog, "", {}).labels == (3,)


def test_empty_masks_teach_nothing(tmp_path: Path) -> None:
    catalog = masked(tmp_path, [lungs(), lungs()])
    with pytest.raises(InputError, match="no mask of 'lung' has a label") as caught:
        TASK.settings(catalog, "", {})
    assert "1 to 255" in str(caught.value)


def test_asked_labels_need_no_mask_to_be_read(tmp_path: Path) -> None:
    catalog = masked(tmp_path, [lungs(1), lungs(2)])
    (tmp_path / "c0.npy").unlink()
    assert TASK.settings(catalog, "", {"labels": (2,)}).labels == (2,)
