"""The guide's way from a folder of chest CTs to even voxels and lungs, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct_series import write_series

SHAPE, MM = (52, 45, 60), (2.5, 3.0, 3.0)  # (Z, Y, X): a child's chest


def chest() -> tuple[np.ndarray, np.ndarray]:
    """HU in LPS order, and where the larger lung, the patient's right one, and the left one are."""
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(SHAPE, MM, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    hu = np.full(SHAPE, -1000)
    hu[(x / 80) ** 2 + (y / 58) ** 2 < 1] = 40
    right = (z / 55) ** 2 + (y / 40) ** 2 + ((x + 38) / 28) ** 2 < 1  # x runs to the left
    left = (z / 45) ** 2 + (y / 40) ** 2 + ((x - 38) / 24) ** 2 < 1
    hu[right | left] = -850
    return hu, right + 2 * left.astype(np.uint8)


def test_from_folders_to_lungs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hu, truth = chest()
    along = [number * MM[0] for number in range(SHAPE[0])]
    write_series(tmp_path / "dsb2017" / "stage1" / "0a15", "0a15", along, hu, MM[1:])
    (tmp_path / "dsb2017" / "stage1_labels.csv").write_text("id,cancer\n0a15,1\n")
    monkeypatch.chdir(tmp_path)
    guide = (Path(__file__).parents[2] / "docs" / "mr_ct.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(import hounsfield as hf\n.*?)```", guide, re.S)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["image"].geometry.spacing == pytest.approx((1, 1, 1))
    cubic_mm = np.prod(MM)
    for label, millilitres in zip((1, 2), names["found"].millilitres, strict=True):
        true = (truth == label).sum() * cubic_mm / 1000
        assert millilitres == pytest.approx(true, rel=0.05)
        assert (names["found"].mask.array == label).sum() / 1000 == pytest.approx(true, rel=0.05)
