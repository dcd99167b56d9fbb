"""What can be said of one volume's quality without another to compare it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hounsfield.image import Image
from hounsfield.preprocessing.foreground import inside
from hounsfield.preprocessing.mr.artefacts import artefacts
from hounsfield.preprocessing.mr.bias_field import variation
from hounsfield.preprocessing.mr.noise import Method, noise
from hounsfield.preprocessing.mr.units import other_than_mr

Axis = Literal["x", "y"]


@dataclass(frozen=True)
class Quality:
    """Of the first channel; None where a number has no meaning or too little supports it.

    `noise` in the image's unit, `noise_from` the air or the finest details; `variation` is the
    standard deviation over the mean in the body (bias fields raise it, and so does anatomy).
    `ghost`, `streaks`: the worse of both in-plane axes, which is `axis`; `blur`, `entropy`:
    see `artefacts`. Values in HU, SUV or °C have noise only: the rest is of MR.
    """

    noise: float | None
    noise_from: Method
    snr: float | None = None
    variation: float | None = None
    ghost: float | None = None
    streaks: float | None = None
    axis: Axis | None = None
    blur: float | None = None
    entropy: float | None = None


def quality(image: Image, mask: Image | None = None) -> Quality:
    """The quality of an image's first channel; the body by a mask or by Otsu's threshold.

    Raises:
        GeometryError: the mask lies on another grid.
        InputError: the image has one value only, or the mask is empty.
    """
    first = Image(image.array[:1], image.geometry, image.channels[:1])
    found = noise(first, mask)
    if other_than_mr(first):
        return Quality(_known(found.sigma), found.method)
    scores = artefacts(first, mask)
    streaks, axis = _worse(scores.streaks)
    return Quality(
        _known(found.sigma),
        found.method,
        _known(found.snr),
        _known(variation(first.array[0][inside(first, mask)])),
        _worse(scores.ghost)[0],
        streaks,
        axis,
        _known(scores.blur),
        _known(scores.entropy),
    )


def _worse(both: tuple[float, float]) -> tuple[float | None, Axis | None]:
    """The greater of the scores along x and y, of those that are known, and its axis."""
    axes: tuple[Axis, Axis] = ("x", "y")
    known = [(score, axis) for score, axis in zip(both, axes, strict=True) if np.isfinite(score)]
    return max(known, default=(None, None), key=lambda one: one[0])


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
