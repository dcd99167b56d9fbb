"""Where the body is: Otsu's threshold, and what lies inside a given mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.image import Image
from hounsfield.preprocessing.grids import refuse_other_grid

BINS = 256


def otsu(values: NDArray[Any]) -> NDArray[np.bool_]:
    """The brighter of the two classes that Otsu's threshold makes of finite values.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1979).
    256 bins between the 0.1st and 99.9th percentile, so that one hot pixel does not decide.

    Raises:
        InputError: all values are equal, or none is finite.
    """
    finite = values[np.isfinite(values)].astype(np.float32)
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0.0, 0.0)
    if finite.size and not low < high:
        low, high = finite.min(), finite.max()
    if not low < high:
        raise InputError(
            "the image has one value only, so nothing stands out from its background",
            remedy="give a mask",
        )
    counts, edges = np.histogram(np.clip(finite, low, high), BINS, (low, high))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(float)
    sums = np.cumsum(counts * centres)
    above = finite.size - below
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * gap**2
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))  # empty bins make a plateau
    threshold = edges[1 + (best[0] + best[-1]) // 2]
    found: NDArray[np.bool_] = values > threshold
    return found


def inside(image: Image, mask: Image | None) -> NDArray[np.bool_]:
    """(Z, Y, X) where a mask is not 0, or by Otsu on the mean of the channels.

    Raises:
        GeometryError: the mask lies on another grid.
        InputError: it is empty, or has several channels.
    """
    if mask is None:
        return otsu(image.array.astype(np.float32).mean(0))
    refuse_other_grid(image, mask, "the mask")
    if mask.shape[0] != 1:
        raise InputError(f"the mask has {mask.shape[0]} channels", expected="one")
    found: NDArray[np.bool_] = np.nan_to_num(mask.array[0]) != 0
    if not found.any():
        raise InputError("the mask is empty", expected="voxels that are not 0 inside of the body")
    return found
