"""How to read: the choices of `Like` that hold for every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.contract import Like


def windowed(values: NDArray[Any], centre: float, width: float) -> NDArray[np.float32]:
    """Values clipped to a window and scaled to [0, 1], float32; NaN stays NaN.

    PS3.3 C.11.2.1.3.2 (LINEAR_EXACT): 0 at centre - width/2, 1 at centre + width/2.
    """
    scaled = values.astype(np.float32)
    scaled -= np.float32(centre - width / 2)
    scaled /= np.float32(width)
    return np.clip(scaled, 0, 1, out=scaled)


def chosen(values: NDArray[Any], like: Like | None, file: Path) -> NDArray[Any]:
    """The values as `like` wants them, for a format that has no VOI LUT of its own."""
    if like is None:
        return values
    if like.voi:
        raise FormatError(
            "this file has no VOI LUT or window of its own",
            file=file,
            remedy="give a window: centre and width",
        )
    if like.window is not None:
        values = windowed(values, *checked_window(like.window, file))
    return values if like.dtype is None else values.astype(like.dtype, copy=False)


def checked_window(window: tuple[float, float], file: Path) -> tuple[float, float]:
    """The window, refused where its width is not positive."""
    centre, width = window
    if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
        raise FormatError(
            f"a window of centre {centre:g} and width {width:g}",
            file=file,
            expected="finite numbers, and a width above 0",
        )
    return centre, width
