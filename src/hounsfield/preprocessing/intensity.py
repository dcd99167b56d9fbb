"""What an image's values are like: exact percentiles in one or two passes, and where to clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hounsfield.preprocessing.contract import Preprocessing, Summary

KERNEL_TYPES = (np.uint8, np.int16, np.uint16, np.float32)  # others are converted to float32


@dataclass(frozen=True, eq=False)
class Values:
    """The sorted finite values of an array, as far as asked for."""

    percentiles: NDArray[np.float64]
    minimum: float
    maximum: float
    mean: float
    finite: int  # how many values are neither NaN nor infinite
    size: int  # how many there are

    def summary(self) -> Summary:
        """For values `measured` at SUMMARY_PERCENTS first."""
        p1, median, p99 = map(float, self.percentiles[:3])
        odd = self.size - self.finite
        return Summary(self.minimum, p1, median, p99, self.maximum, self.mean, odd)


def as_kernel_type(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a type that the kernels take; float32 where it has another."""
    if array.dtype in KERNEL_TYPES:
        return array
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and counted as such
        return array.astype(np.float32)


def measured(array: NDArray[Any], percents: Sequence[float]) -> Values:
    """Exact percentiles (linear between ranks, as `numpy.percentile`) and range of an array.

    Counting sort instead of sorting: integers in one pass; float32 by its upper, then lower
    16 bits (radix selection), which order as the numbers do once the sign is folded in.
    """
    flat = np.ascontiguousarray(as_kernel_type(array)).reshape(-1)
    if flat.dtype == np.float32:
        return _measured_float(flat, np.asarray(percents, np.float64))
    bits = 8 * flat.dtype.itemsize
    offset = int(np.iinfo(flat.dtype).min)
    counts = np.zeros(1 << bits, np.int64)
    _count_integers(flat, offset, counts)
    values = np.arange(len(counts)) + offset
    below = np.cumsum(counts)
    ranks, share = _ranks(np.asarray(percents, np.float64), flat.size)
    found = values[np.searchsorted(below, ranks, side="right")].astype(np.float64)
    mean = float(counts @ values) / flat.size
    return _values(found, share, mean, (flat.size, flat.size))


def _measured_float(flat: NDArray[np.float32], percents: NDArray[np.float64]) -> Values:
    bits = flat.view(np.uint32)
    upper = np.zeros(1 << 16, np.int64)
    finite, total = _count_upper(bits, flat, upper)
    if finite == 0:
        return Values(np.zeros(len(percents)), 0.0, 0.0, 0.0, 0, flat.size)
    ranks, share = _ranks(percents, finite)
    below = np.cumsum(upper)
    bins = np.searchsorted(below, ranks, side="right")
    wanted, slots = np.unique(bins, return_inverse=True)
    slot_of_bin = np.full(1 << 16, -1, np.int8)
    slot_of_bin[wanted] = np.arange(len(wanted))
    lower = np.zeros((len(wanted), 1 << 16), np.int32)
    _count_lower(bits, flat, slot_of_bin, lower)
    found = np.empty(len(ranks))
    for i, (rank, bin_, slot) in enumerate(zip(ranks, bins, slots, strict=True)):
        within = rank - (below[bin_] - upper[bin_])
        low = int(np.searchsorted(np.cumsum(lower[slot]), within, side="right"))
        found[i] = _number((int(bin_) << 16) | low)
    return _values(found, share, total / finite, (finite, flat.size))


def _ranks(percents: NDArray[np.float64], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The ranks below and above each percentile, then the first and last; and the share between."""
    position = percents / 100 * (n - 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, n - 1)
    return np.concatenate([low, high, [0, n - 1]]), position - low


def _values(
    found: NDArray[Any], share: NDArray[Any], mean: float, counts: tuple[int, int]
) -> Values:
    n = len(share)
    low, high = found[:n], found[n : 2 * n]
    between = low + (high - low) * share
    return Values(between, float(found[-2]), float(found[-1]), mean, *counts)


def _number(key: int) -> float:
    """The float32 whose sortable key this is."""
    bits = key & 0x7FFFFFFF if key & 0x80000000 else key ^ 0xFFFFFFFF
    return float(np.array([bits], np.uint32).view(np.float32)[0])


@njit(nogil=True, cache=True)
def _count_integers(values, offset, counts):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        counts[np.int64(values[i]) - offset] += 1


@njit(nogil=True, cache=True)
def _count_upper(bits, values, counts):  # type: ignore[no-untyped-def]
    finite, total = 0, 0.0
    for i in range(bits.size):
        if np.isfinite(values[i]):
            b = np.int64(bits[i])
            key = b ^ 0x80000000 if b < 0x80000000 else b ^ 0xFFFFFFFF
            counts[key >> 16] += 1
            total += values[i]
            finite += 1
    return finite, total


@njit(nogil=True, cache=True)
def _count_lower(bits, values, slot_of_bin, counts):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        if np.isfinite(values[i]):
            b = np.int64(bits[i])
            key = b ^ 0x80000000 if b < 0x80000000 else b ^ 0xFFFFFFFF
            slot = slot_of_bin[key >> 16]
            if slot >= 0:
                counts[slot, key & 0xFFFF] += 1


SUMMARY_PERCENTS = (1.0, 50.0, 99.0)


def limits(array: NDArray[Any], settings: Preprocessing) -> tuple[tuple[float, float], Summary]:
    """The values that become 0 and 1, and the summary of all values.

    `clip=none` without a range takes the integer type's own range, of floats the image's own.
    Equal limits mean a constant image (it becomes 0). A window is LINEAR_EXACT of DICOM PS3.3
    C.11.2.1.3.2: centre ± width / 2.
    """
    values = measured(array, (*SUMMARY_PERCENTS, *settings.percentiles))
    low, high = map(float, values.percentiles[3:])
    if settings.clip == "window" and settings.window is not None:
        centre, width = settings.window
        low, high = centre - width / 2, centre + width / 2
    elif settings.clip == "none":
        low, high = settings.range or _own_range(array.dtype, values)
    elif not low < high:  # nearly all pixels are equal: a thin line on black must not vanish
        low, high = values.minimum, values.maximum
    return (low, high), values.summary()


def _own_range(dtype: np.dtype[Any], values: Values) -> tuple[float, float]:
    if dtype == np.bool_:
        return 0.0, 1.0
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return values.minimum, values.maximum
