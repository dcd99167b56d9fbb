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


@dataclass(frozen=True)
class Quality:
    """Of the first channel; None where a number has no meaning or too little supports it.

    `noise` in the image's unit, `noise_from` the air or the finest details; `variation` is the
    standard deviation over the mean in the body (bias fields raise it, and so does anatomy).
    `ghost`, `streaks`: the worse of both in-plane axes, which is `axis`; `blur`, `entropy`:
    see `artefacts`. Values in HU have noise only: the rest is of MR.
    """

    noise: float | None
    noise_from: Method
    snr: float | None = None
    variation: float | None = None
    ghost: float | None = None
    streaks: float | None = None
    axis: Literal["x", "y"] | None = None
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
    if first.channels[0].unit == "HU":
        return Quality(_known(found.sigma), found.method)
    scores = artefacts(first, mask)
    body = inside(first, mask)
    known = [score for score in scores.streaks if np.isfinite(score)]
    axis: Literal["x", "y"] | None = None
    if known:
        axis = "x" if scores.streaks[0] > scores.streaks[1] else "y"
    return Quality(
        _known(found.sigma),
        found.method,
        _known(found.snr),
        _known(variation(first.array[0][body])),
        _known(max(scores.ghost)),
        max(known, default=None),
        axis,
        _known(scores.blur),
        _known(scores.entropy),
    )


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
