"""Voxels behind a header of the NIfTI and Analyze family: bytes of a file → physical values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats.guard import DEFLATE_RATIO, check_promise
from hounsfield.formats.nifti import gzip as nifti_gzip
from hounsfield.formats.streams import ends_early, fill, is_gzip

_BLOCK = 1 << 17  # numbers scaled at a time: they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Voxels:
    """Where voxels lie and how they are stored; `dtype` is of one number, in the file's order."""

    file: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, int, int, int]  # volumes, Z, Y, X
    numbers: int = 1  # in a voxel: 2 for complex ones, 3 or 4 for colours
    scaling: tuple[float, float] = (1.0, 0.0)  # slope, intercept

    @property
    def value_dtype(self) -> np.dtype[Any]:
        """Stored type without scaling; scaled: int16 if that is exact, else a float wide enough."""
        stored = self.dtype.newbyteorder("=")
        slope, intercept = self.scaling
        if (slope, intercept) == (1, 0):
            return stored
        if stored.kind in "iu" and slope.is_integer() and intercept.is_integer():
            limits = np.iinfo(stored.name)
            ends = [end * slope + intercept for end in (int(limits.min), int(limits.max))]
            if min(ends) >= -32768 and max(ends) <= 32767:
                return np.dtype(np.int16)
        return np.dtype(np.float64 if stored.itemsize > 2 and stored != np.float32 else np.float32)

    @property
    def channels(self) -> int:
        """Planes of C: alpha is dropped."""
        return self.shape[0] * min(self.numbers, 3)

    def check(self) -> None:
        """Refuse, before any allocation, what the file cannot hold.

        Raises:
            FormatError: more voxels than the file has bytes for, or than the limit allows.
        """
        size = self.file.stat().st_size
        zipped = is_gzip(self.file)
        found = size if zipped else size - self.offset
        ratio = DEFLATE_RATIO if zipped else 1
        check_promise(self.file, (*self.shape, self.numbers), self.dtype, found, ratio)
        check_promise(self.file, (*self.shape, self.numbers), self.value_dtype, 1 << 62)

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Planes first ≤ z < last as (C, Z, Y, X), in one buffer of their own.

        Raises:
            FormatError: the file ends before they do, or a value is too large for its type.
        """
        planes, _, y, x = self.shape
        plane = y * x * self.numbers
        count = planes * (last - first) * plane
        values: NDArray[Any] = np.empty(count, self.value_dtype)
        # Stored numbers are no wider than the values: they come in at the end of the buffer and
        # are widened from its beginning, which never overtakes them.
        stored = values.view(np.uint8)[count * (values.itemsize - self.dtype.itemsize) :]
        self._fetch(first, last, plane * self.dtype.itemsize, memoryview(stored.data))
        self._widen(stored.view(self.dtype), values)
        if self.numbers == 1:
            return values.reshape(planes, last - first, y, x)
        kept = min(self.numbers, 3)
        voxels = values.reshape(planes, last - first, y, x, self.numbers)
        channels = np.moveaxis(voxels, 4, 1)[:, :kept]
        return channels.reshape(planes * kept, last - first, y, x)

    def _fetch(self, first: int, last: int, plane: int, target: memoryview) -> None:
        volumes, z = self.shape[:2]
        ranges = [
            (self.offset + (volume * z + first) * plane, self.offset + (volume * z + last) * plane)
            for volume in range(volumes)
        ]
        if (first, last) == (0, z):
            ranges = [(ranges[0][0], ranges[-1][1])]
        if is_gzip(self.file):
            total = self.offset + volumes * z * plane
            found = nifti_gzip.inflate(self.file, ranges, target, total)
        else:
            found = _read_plain(self.file, ranges, target)
        if found < len(target):
            raise ends_early(self.file, found, len(target))

    def _widen(self, stored: NDArray[Any], values: NDArray[Any]) -> None:
        slope, intercept = self.scaling
        if (slope, intercept) == (1, 0):
            if not self.dtype.isnative:
                values.byteswap(inplace=True)
            return
        with np.errstate(over="raise", invalid="ignore"):  # NaN stays; never a new infinity
            for block in _blocks(values.size):
                exact = stored[block].astype(np.float64)
                exact *= slope
                exact += intercept
                values[block] = exact


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def _read_plain(path: Path, ranges: list[tuple[int, int]], target: memoryview) -> int:
    at = 0
    with path.open("rb", buffering=0) as file:
        for start, stop in ranges:
            file.seek(start)
            found = fill(file, target[at : at + stop - start])
            at += found
            if found < stop - start:
                break
    return at
