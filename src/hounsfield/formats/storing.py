"""What several formats need to write an image: a type that they have, bytes, a step of time."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.image import Channel

WIDER = {"b1": "u1", "f2": "f4"}  # types that few formats have -> one that holds their values


def kind_of(array: NDArray[Any]) -> str:
    """The type as NumPy's letter and bytes, e.g. "i2"."""
    return f"{array.dtype.kind}{array.dtype.itemsize}"


def storable(
    array: NDArray[Any], kinds: Container[str], format: str, wider: Mapping[str, str] = WIDER
) -> NDArray[Any]:
    """The array in a type that the format has, as `wider` says where that changes no value.

    Raises:
        FormatError: the format has no type for these values.
    """
    kind = kind_of(array)
    if kind in kinds:
        return array
    with np.errstate(over="ignore", invalid="ignore"):  # the values are compared
        other = array.astype(wider[kind]) if kind in wider else None
    if other is None or not np.array_equal(other, array, equal_nan=array.dtype.kind == "f"):
        raise FormatError(
            f"{format} has no type for these values of {array.dtype}",
            remedy="convert to float32, or write .nii.gz",
        )
    return other


def as_bytes(array: NDArray[Any], order: str = "<") -> memoryview:
    """The numbers in C order and this byte order, copied only where they must be."""
    ordered = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(order))  # type: ignore[arg-type]
    return memoryview(ordered.reshape(-1).view(np.uint8).data)


def time_step(channels: Sequence[Channel]) -> float:
    """Seconds between volumes where all have a time and they are even, else 0."""
    times = [channel.time for channel in channels if channel.time is not None]
    if len(times) < 2 or len(times) != len(channels):
        return 0.0
    steps = np.diff(np.array(times, np.float64))
    even = np.allclose(steps, steps[0], rtol=1e-6, atol=1e-9) and steps[0] > 0
    return float(steps[0]) if even else 0.0
