"""The sheets: what is drawn is what was given, and the file is a PNG, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield.errors import InputError
from hounsfield.preprocessing import figures


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(100, 20, (1, 1, 20 + i, 30)).astype(np.float32) for i in range(count)]


def test_a_sheet_shows_every_picture_with_its_label(tmp_path: Path) -> None:
    colour = np.random.default_rng(1).integers(0, 255, (3, 1, 9, 9), dtype=np.uint8)
    odd = np.full((1, 4, 8, 8), np.nan, np.float32)
    shown = [*pictures(6), colour, odd]
    labels = [f"label {i}" for i in range(7)] + ["x" * 40]
    figure = figures.sheet(shown, labels, "Raw")
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in drawn] == [*labels[:7], "x" * 15 + "…"]
    assert drawn[3].images[0].get_array().shape == (23, 30)
    assert drawn[6].images[0].get_array().shape == (9, 9, 3)
    path = figures.save(figure, tmp_path / "sub" / "raw.png")
    with Picture.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 700
    assert [p.name for p in path.parent.iterdir()] == ["raw.png"]


def test_augmented_pictures_share_their_originals_scale() -> None:
    originals = pictures(2)
    brighter = [[picture + 50, picture] for picture in originals]
    figure = figures.augmented_sheet(originals, brighter, ["a", "b"], "Augmented")
    first, draw, same = (figure.axes[i].images[0].get_array() for i in range(3))
    assert draw.mean() > first.mean() + 0.2
    assert np.array_equal(first, same)
    assert figure.axes[3].get_ylabel() == "b"


def test_histograms_count_all_pixels() -> None:
    before = [np.random.default_rng(i).integers(0, 4096, (1, 1, 50, 50)) for i in range(3)]
    after = [picture / 4095 for picture in before]
    left, right = figures.histograms(before, after, "Intensities").axes
    for axis in (left, right):
        assert np.isclose(np.sum(axis.lines[-1].get_ydata()), 100)
    assert left.lines[-1].get_xdata()[-1] > 4000
    constant = figures.histograms([np.zeros((1, 1, 4, 4))], [np.full((1, 1, 4, 4), np.nan)], "")
    assert len(constant.axes) == 2


def test_other_counts_are_refused() -> None:
    with pytest.raises(InputError, match="3 and 2"):
        figures.sheet(pictures(3), ["a", "b"], "")
