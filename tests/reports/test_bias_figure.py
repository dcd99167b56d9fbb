"""The figure of N4: the body upright, and three panels that show what was done."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield import interop
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.mr.bias_field import BiasCorrected
from hounsfield.reports.bias_figure import figure, middle


@pytest.fixture
def biased() -> Image:
    rng = np.random.default_rng(0)
    affine = np.array([[-1.9, 0.3, 0, 60], [0.3, 1.9, 0.2, -55], [0, -0.1, 4, 10], [0, 0, 0, 1.0]])
    return Image(rng.uniform(1, 900, (1, 5, 20, 22)).astype(np.float32), Patient(affine))


@pytest.fixture
def found(biased: Image) -> BiasCorrected:
    field = np.broadcast_to(np.linspace(0.8, 1.2, 22, dtype=np.float32), biased.shape)
    after = Image(biased.array / field, biased.geometry)
    mask = Image(np.ones(biased.shape, np.uint8), biased.geometry)
    return BiasCorrected(after, Image(field.copy(), biased.geometry), mask, (0.3,), (0.2,))


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "SPL", "PIR", "ASL"])
def test_the_figure_has_the_body_upright(codes: str) -> None:
    """Front or head above, the patient's right (or front) at the left, from any storage."""
    import nibabel as nib

    array = np.zeros((5, 6, 7), np.float32)
    array[4, 5, 3] = 1  # x: right, y: front, z: middle
    ras = nib.Nifti1Image(array, np.diag([1, 1, 3, 1]))
    stored = nib.orientations.axcodes2ornt(codes)
    image = interop.from_nibabel(
        ras.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(ras.affine), stored))
    )
    seen = middle(image)
    assert seen.pixels.shape == (6, 5)
    assert seen.pixels[0, 0] == 1
    assert (seen.step, seen.edges) == ((1, 1), "RLAP")


def test_the_figure_shows_the_three(biased: Image, found: BiasCorrected) -> None:
    drawn = figure(biased, found)
    panels = [axis for axis in drawn.axes if axis.images and axis.get_title()]
    assert [axis.get_title().partition(" ")[0].strip(":") for axis in panels] == [
        "before",
        "field",
        "after",
    ]
    before, field, after = (np.asarray(axis.images[0].get_array()) for axis in panels)
    np.testing.assert_allclose(after * field, before, rtol=1e-5)
    assert panels[0].images[0].get_clim() == panels[2].images[0].get_clim()
