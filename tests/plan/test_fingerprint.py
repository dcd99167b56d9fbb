"""The facts that plans are chosen from, as the files say them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield import workflow
from hounsfield.plan.fingerprint import fingerprint


@pytest.mark.parametrize(
    ("dtypes", "bits"),
    [
        (["uint8"], 8),
        (["uint16"], 16),
        (["float32"], 32),
        (["uint8", "uint16"], 16),
    ],
)
def test_the_bits_of_a_value_are_read(dtypes: list[str], bits: int, tmp_path: Path) -> None:
    for number in range(24):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (9, 12))
        np.save(path, pixels.astype(dtypes[number // 4 % len(dtypes)]))
    catalog = workflow.index([tmp_path / "data"], tmp_path / "catalog").catalog
    cases = catalog.cases["case"].to_list()
    assert fingerprint(catalog, cases, ["a"] * len(cases)).bits == bits
    (tmp_path / "data/a/0.npy").unlink()  # that a file is gone is told later
    assert fingerprint(catalog, cases, ["a"] * len(cases)).bits == bits


def test_tiny_pictures_of_16_bits_keep_their_grey_levels(tmp_path: Path) -> None:
    arrays = {}
    for part, size in (("train", 30), ("val", 10), ("test", 10)):
        rng = np.random.default_rng(size)
        arrays[f"{part}_images"] = rng.integers(0, 4096, (size, 12, 12)).astype(np.uint16)
        arrays[f"{part}_labels"] = (np.arange(size) % 2)[:, None].astype(np.uint8)
    np.savez(tmp_path / "data.npz", **arrays)
    resolved = workflow.plan(
        tmp_path / "data.npz", {"data.min_per_class": 0}, out=tmp_path / "plan.yaml"
    )
    assert resolved.plan.preprocessing.size == (12, 12)
    assert resolved.plan.preprocessing.clip == "percentile"
