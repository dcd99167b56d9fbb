"""CT windows by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hounsfield.errors import InputError, UsageError
from hounsfield.formats.windows import WINDOWS, named_window
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.ct.windows import window

TISSUE = {  # HU that each window must tell apart: both within it, and well apart in grey
    "lung": (-900, -500),
    "mediastinum": (-100, 60),
    "soft-tissue": (-100, 60),
    "bone": (200, 1200),
    "brain": (25, 37),
    "subdural": (40, 80),
    "stroke": (25, 37),
    "liver": (40, 60),
    "abdomen": (-100, 60),
    "angio": (100, 400),
    "temporal-bone": (0, 1500),
    "spine": (0, 100),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_each_window_shows_its_tissue(name: str) -> None:
    low, high = TISSUE[name]
    image = Image.from_numpy(np.array([[low, high]], np.int16), spacing=(1, 1))
    dark, bright = window(image, name).array.ravel()
    assert 0 < dark < bright < 1
    assert bright - dark > 0.1


def test_its_ends_by_hand() -> None:
    values = np.array([[[-1350, -600, 150, 3000, -3024]]], np.int16)
    image = Image(values[None], Patient(np.eye(4)), (Channel("chest", "HU"),))
    shown = window(image, "Lung")
    np.testing.assert_allclose(shown.array.ravel(), [0, 0.5, 1, 1, 0], atol=1e-6)
    assert shown.geometry is image.geometry
    assert shown.channels == (Channel("chest"),)


def test_the_guide_tells_the_same() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "mr_ct.md").read_text().replace("−", "-")
    told = re.findall(r"([a-z-]+) (-?\d+)/(\d+)", guide)
    assert {name: (float(c), float(w)) for name, c, w in told} == WINDOWS


def test_names_are_read_kindly_and_slips_answered() -> None:
    assert named_window("Soft tissue") == named_window("soft_tissue") == (40, 375)
    with pytest.raises(UsageError, match="did you mean 'lung'"):
        named_window("lungs")


def test_other_units_are_refused() -> None:
    image = Image(np.ones((1, 1, 2, 2)), None, (Channel(unit="Bq/ml"),))
    with pytest.raises(InputError, match="Bq/ml"):
        window(image, "lung")
