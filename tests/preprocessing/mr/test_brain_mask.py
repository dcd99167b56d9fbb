"""Masks are applied on their own grid only; strippers come by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.mr.brain_mask import apply_mask, strip

AFFINE = np.array([[-1, 0, 0, 3], [0, 2, 0.1, -5], [0, 0, 3, 7], [0, 0, 0, 1.0]])


@pytest.fixture
def image() -> Image:
    array = np.arange(1, 121, dtype=np.int16).reshape(2, 3, 4, 5)
    return Image(array, Patient(AFFINE), (Channel("T1"), Channel("T2")))


@pytest.fixture
def mask() -> Image:
    array = np.zeros((1, 3, 4, 5), np.uint8)
    array[0, 2, 0, 4] = array[0, 1, 1, 1] = 7
    return Image(array, Patient(AFFINE))


def test_outside_is_taken_away_and_inside_kept(image: Image, mask: Image) -> None:
    found = apply_mask(image, mask, outside=-1)
    for channel in (0, 1):
        assert found.array[channel, 2, 0, 4] == image.array[channel, 2, 0, 4]
        assert found.array[channel, 1, 1, 1] == image.array[channel, 1, 1, 1]
    assert np.count_nonzero(found.array != -1) == 4
    assert found.array.dtype == np.int16
    assert found.channels == image.channels
    assert np.array_equal(found.geometry.affine, AFFINE)
    assert image.array.min() == 1  # not written to


def test_what_does_not_fit_is_told(image: Image, mask: Image) -> None:
    moved = AFFINE.copy()
    moved[2, 3] += 2
    with pytest.raises(GeometryError, match="corners lie up to 2 mm apart"):
        apply_mask(image, Image(mask.array, Patient(moved)))
    with pytest.raises(GeometryError, match="5 × 4 × 2 voxels against 5 × 4 × 3"):
        apply_mask(image, Image(mask.array[:, :2], Patient(AFFINE)))
    with pytest.raises(InputError, match="2 channels"):
        apply_mask(image, Image(np.ones((2, 3, 4, 5)), Patient(AFFINE)))
    for outside in (0.5, 1e6, np.nan):
        with pytest.raises(UsageError, match="int16 cannot hold"):
            apply_mask(image, mask, outside)
    floats = Image(image.array.astype(np.float32), image.geometry)
    assert np.isnan(apply_mask(floats, mask, np.nan).array).sum() == 116


def test_strippers(
    image: Image, mask: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert np.array_equal(strip(image, lambda _: mask).array, apply_mask(image, mask).array)
    (tmp_path / "my_stripper_module.py").write_text(
        "from dataclasses import replace\n"
        "def bright(image):\n"
        "    return replace(image, array=image.array[:1] > 50, channels=())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = strip(image, "my_stripper_module:bright")
    assert np.count_nonzero(found.array) == 20
    with pytest.raises(UsageError, match="no skull stripper 'hd-bet'"):
        strip(image, "hd-bet")
    with pytest.raises(UsageError, match="cannot be imported"):
        strip(image, "my_stripper_module:dark")
