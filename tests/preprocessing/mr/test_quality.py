"""One row of quality: the worse axis is told, and what cannot be known stays open."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.mr import quality as room
from hounsfield.preprocessing.mr.artefacts import Artefacts, streaks
from hounsfield.preprocessing.mr.quality import quality

NAN = float("nan")


def head(unit: str | None = None) -> Image:
    y, x = np.meshgrid(np.linspace(-1.4, 1.4, 48), np.linspace(-1.4, 1.4, 40), indexing="ij")
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, (2, 1, 3, 48, 40))
    array = np.hypot(500.0 * (np.hypot(x, y) < 0.8) + noise[0], noise[1]).astype(np.float32)
    return Image(array, Patient(np.diag([2, 2, 5, 1.0])), (Channel(unit=unit),))


@pytest.mark.parametrize(
    ("ghost", "streaks", "expected"),
    [
        ((0.1, 0.3), (0.5, 2.0), (0.3, 2.0, "y")),
        ((0.3, 0.1), (2.0, 0.5), (0.3, 2.0, "x")),
        ((NAN, 0.3), (NAN, 2.0), (0.3, 2.0, "y")),
        ((0.3, NAN), (2.0, NAN), (0.3, 2.0, "x")),
        ((NAN, NAN), (NAN, NAN), (None, None, None)),
    ],
)
def test_the_worse_axis_that_is_known(
    ghost: tuple[float, float],
    streaks: tuple[float, float],
    expected: tuple[float | None, float | None, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = Artefacts(ghost, streaks, 0.5, 0.5)
    monkeypatch.setattr(room, "artefacts", lambda image, mask: scores)
    found = quality(head())
    assert (found.ghost, found.streaks, found.axis) == expected


def test_air_set_to_0_on_one_side_gives_no_streaks() -> None:
    """A ratio to nothing is no number: it would hide, or outshine, every other image's."""
    values = np.zeros((1, 60, 60), np.float32)
    body = np.zeros(values.shape, bool)
    body[:, 22:38, 22:38] = True
    values[body] = 100
    values[:, :18, 22:38] = 3  # above the body alone
    air = ~body
    assert np.isnan(streaks(values, body, air, 1))
    assert np.isnan(streaks(values, body, air, 2))


@pytest.mark.parametrize("unit", ["HU", "°C", "g/mL", "reflectance"])
def test_of_what_is_no_mr_only_the_noise_is_told(unit: str) -> None:
    found = quality(head(unit))
    assert found.noise is not None
    assert (found.snr, found.variation, found.ghost, found.blur) == (None,) * 4
    assert quality(head()).snr is not None
