"""The slices of a volume that a network gets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.preprocessing.settings import Preprocessing


def picked(array: NDArray[Any], settings: Preprocessing) -> NDArray[Any]:
    """`settings.depth` slices of an image's (C, Z, Y, X), in their order; (C, depth, Y, X).

    adjacent: neighbours about the place `slice_at`, moved inwards at the ends. spread: the
    middles of equal parts of the volume. resampled: the whole volume, interpolated linearly
    between slice centres, after a mean over those that fall on one where it shrinks.

    Raises:
        InputError: fewer slices than are asked for; one cannot be resampled to several.
    """
    have, want = array.shape[1], settings.depth
    if have == want:
        return array
    if settings.slices == "resampled" and have > 1:
        return _resampled(array, want)
    if have < want:
        verb = "slice" if have == 1 else "slices"
        raise InputError(
            f"the image has {have} {verb}, and {want} are needed",
            expected=f"volumes of at least {want} slices",
            remedy="ask for fewer with --preprocessing.depth",
        )
    return np.ascontiguousarray(array[:, _places(have, settings)])


def _places(have: int, settings: Preprocessing) -> NDArray[np.int64]:
    want = settings.depth
    if settings.slices == "adjacent":
        # The middle of an even number is the later one, as in array[n // 2].
        middle = int(settings.slice_at * (have - 1) + 0.5)
        first = min(max(middle - want // 2, 0), have - want)
        return np.arange(first, first + want)
    return np.floor((np.arange(want) + 0.5) * have / want).astype(np.int64)


def _resampled(array: NDArray[Any], want: int) -> NDArray[np.float32]:
    have = array.shape[1]
    ratio = have / want
    centres = (np.arange(want) + 0.5) * ratio - 0.5
    reach = max(1.0, ratio)  # a triangle as wide as the step: interpolation, or a weighted mean
    places = np.arange(have)
    weights = np.maximum(0.0, 1 - np.abs(np.clip(centres, 0, have - 1)[:, None] - places) / reach)
    weights /= weights.sum(1, keepdims=True)
    moved = np.einsum("wz,czyx->cwyx", weights.astype(np.float32), array.astype(np.float32))
    return np.ascontiguousarray(moved)
