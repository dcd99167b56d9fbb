"""Slices at uneven positions, with gaps, brought onto an even stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError
from hounsfield.spatial.engine import result_type


def even_slices(array: NDArray[Any], positions: Sequence[float], step: float) -> NDArray[Any]:
    """The slices of `array` (C, Z, Y, X) at the first position and every `step` mm behind it.

    `positions` (Z) are mm along the stack, growing. Each new slice lies linearly between the two
    around it; a slice met to 1e-5 of a step is taken as it is. The last new slice is the one
    nearest to the last position; should it lie behind it, the last slice is repeated. Float32,
    float64 from float64.

    Raises:
        GeometryError: positions that do not grow or do not match, or a step not above 0.
    """
    at = np.asarray(positions, dtype=np.float64)
    if array.ndim != 4 or at.shape != (array.shape[1],):
        raise InputError(f"{at.size} positions for an array of {array.shape}")
    if not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise GeometryError(
            f"slices at {at.tolist()} mm", expected="each position above the one before"
        )
    if not (np.isfinite(step) and step > 0):
        raise GeometryError(f"a step of {step} mm between slices", expected="above 0")
    count = int(np.floor((at[-1] - at[0]) / step + 0.5 + 1e-5)) + 1
    wanted = np.minimum(at[0] + step * np.arange(count), at[-1])
    below = np.clip(np.searchsorted(at, wanted, "right") - 1, 0, max(at.size - 2, 0))
    above = np.minimum(below + 1, at.size - 1)
    out = np.empty((len(array), count, *array.shape[2:]), result_type(array.dtype, 1))
    for k, (low, high, place) in enumerate(zip(below, above, wanted, strict=True)):
        nearer = low if place - at[low] <= at[high] - place else high
        if abs(place - at[nearer]) <= 1e-5 * step:
            out[:, k] = array[:, nearer]
            continue
        weight = out.dtype.type((place - at[low]) / (at[high] - at[low]))
        np.subtract(array[:, high], array[:, low], out=out[:, k], dtype=out.dtype)
        out[:, k] *= weight
        out[:, k] += array[:, low]
    return out
