"""What lies outside of a mask is taken away; skull stripping is a mask from elsewhere.

Nothing here finds a brain by itself: published strippers are trained networks with weights of
their own, and thresholds that work on one contrast cut into the next. A stripper is any
function from an image to a mask on its grid, called by `package.module:function`.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from hounsfield.errors import UsageError
from hounsfield.image import Image
from hounsfield.preprocessing.foreground import inside


class Stripper(Protocol):
    """From an image (C, Z, Y, X) to a mask (1, Z, Y, X) on its grid, not 0 inside of the brain."""

    def __call__(self, image: Image) -> Image: ...


def apply_mask(image: Image, mask: Image, outside: float = 0.0) -> Image:
    """The image with `outside` wherever the mask is 0 or NaN; its type and grid are kept.

    Raises:
        GeometryError: the grids differ; it tells how (size, millimetres, axes).
        InputError: the mask is empty or has several channels.
        UsageError: the image's type cannot hold `outside`.
    """
    where = inside(image, mask)
    kind = image.array.dtype
    filler = np.asarray(outside)
    whole = kind.kind in "iu" and float(outside).is_integer()
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (-1, 1)
    if not (kind.kind == "f" or (whole and low <= outside <= high)):
        raise UsageError(
            f"an image of {kind} cannot hold {outside:g} outside of the mask",
            remedy="choose a value of its type, or convert the image to float32",
        )
    return replace(image, array=np.where(where, image.array, filler.astype(kind)))


def strip(image: Image, by: Image | Stripper | str, outside: float = 0.0) -> Image:
    """The image within a mask, or within the mask that a stripper (or its name) makes.

    Raises:
        UsageError: no function has this name.
        GeometryError: the mask lies on another grid.
    """
    if isinstance(by, str):
        by = load(by)
    return apply_mask(image, by if isinstance(by, Image) else by(image), outside)


def load(name: str) -> Stripper:
    """The function `package.module:function`.

    Raises:
        UsageError: there is none.
    """
    module, colon, function = name.partition(":")
    if not colon:
        raise UsageError(
            f"no skull stripper {name!r}",
            expected="package.module:function, importable from here",
            remedy="or give a mask",
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # as `python` itself does: the user's file lies beside them
    try:
        return cast("Stripper", getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"the skull stripper {name!r} cannot be imported ({error})",
            expected="package.module:function, importable from here",
            remedy="check both names; the current folder is on the path",
        ) from error
