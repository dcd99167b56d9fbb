"""What remains true of `Image.stored` once voxels have moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# How values were coded. Not the place, the size, or the file a slice came from.
CODING = ("format", "dtype", "bits", "slope", "intercept", "photometric", "inverted", "units")


def kept(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The coding of values, where it is one for all slices; the rest would make a writer lie."""
    return {
        key: stored[key]
        for key in CODING
        if key in stored and (stored[key] is None or isinstance(stored[key], str | int | float))
    }
