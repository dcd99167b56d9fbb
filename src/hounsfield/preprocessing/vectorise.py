"""Images as rows of numbers, for scikit-learn and the like: pixels, patches, histograms.

Values stay physical ones: scaling belongs to the model's own pipeline, fitted on its training
part. Colour becomes grey (ITU-R BT.601), as in `prepare`; other channels stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError, UsageError
from hounsfield.image import Image
from hounsfield.preprocessing.settings import LARGEST, SMALLEST

Rows = tuple[NDArray[np.float32], NDArray[np.int32]]  # (N, F), and z, y, x of each: (N, 3)
RANGES = {"HU": (-1024.0, 3071.0), "uint8": (0.0, 255.0)}  # of a unit, or a type


@dataclass(frozen=True)
class Pixels:
    """Every pixel is a column: (C, Z, Y, X) flattened, resized in plane to `size` (Y, X) or not."""

    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not SMALLEST <= min(self.size) <= max(self.size) <= LARGEST:
            raise UsageError(
                f"pictures of {self.size[0]} × {self.size[1]} pixels",
                expected=f"{SMALLEST} to {LARGEST} a side",
            )

    def __call__(self, image: Image) -> Rows:
        """One row (1, C·Z·Y·X); shrinking averages, growing is linear, the aspect is kept.

        The border that keeps the aspect has the channel's least value.
        """
        values = grey(image)
        if self.size is not None:
            values = _resized(values, image, self.size)
        return values.reshape(1, -1), np.zeros((1, 3), np.int32)


@dataclass(frozen=True)
class Patches:
    """Squares of every slice: a row for each, its channels side by side."""

    size: tuple[int, int] = (16, 16)
    stride: tuple[int, int] | None = None  # the size, if not given: patches side by side

    def __post_init__(self) -> None:
        (rows, columns), (down, right) = self.size, self.stride or self.size
        if min(rows, columns, down, right) < 1:
            raise UsageError(
                f"patches of {rows} × {columns} pixels every {down} × {right}",
                expected="numbers above 0",
            )

    def __call__(self, image: Image) -> Rows:
        """Rows (N, C·h·w) in the order z, y, x; what a last step would leave over is left out.

        Raises:
            InputError: the image is smaller than a patch.
        """
        values = grey(image)
        (h, w), (down, right) = self.size, self.stride or self.size
        if values.shape[2] < h or values.shape[3] < w:
            raise InputError(
                f"a patch of {h} × {w} is larger than the image "
                f"of {values.shape[2]} × {values.shape[3]} pixels",
                remedy="a smaller --size",
            )
        windows = np.lib.stride_tricks.sliding_window_view(values, (h, w), (2, 3))
        windows = windows[:, :, ::down, ::right]  # (C, Z, ny, nx, h, w)
        rows = windows.transpose(1, 2, 3, 0, 4, 5).reshape(-1, len(values) * h * w)
        places = np.indices(windows.shape[1:4], np.int32).reshape(3, -1).T
        return np.ascontiguousarray(rows), places * np.array([1, down, right], np.int32)


@dataclass(frozen=True)
class Histogram:
    """How the brightness is shared out: a column a bin, for each channel."""

    bins: int = 64
    range: tuple[float, float] | None = None  # of uint8 and of HU their own, if not given

    def __post_init__(self) -> None:
        if self.bins < 2 or (self.range is not None and not self.range[0] < self.range[1]):
            raise UsageError(
                f"a histogram of {self.bins} bins over {self.range}",
                expected="at least 2 bins, and a range that rises",
            )

    def __call__(self, image: Image) -> Rows:
        """One row (1, C·bins) of shares that sum to 1; the end bins hold what lies beyond.

        Raises:
            UsageError: no range is given, and neither unit nor type has one of its own.
        """
        low, high = self.range or _own_range(image)
        shares = []
        for channel in grey(image):
            finite = channel[np.isfinite(channel)]
            counts, _ = np.histogram(np.clip(finite, low, high), self.bins, (low, high))
            shares.append(counts / max(finite.size, 1))
        row = np.concatenate(shares).astype(np.float32)
        return row[None], np.zeros((1, 3), np.int32)


Features = Pixels | Patches | Histogram


def grey(image: Image) -> NDArray[np.float32]:
    """(C, Z, Y, X) float32, red, green and blue as one channel."""
    from hounsfield.preprocessing.prepare import COLOURS, LUMA

    values = image.array.astype(np.float32)
    if tuple(channel.colour for channel in image.channels) == COLOURS:
        values = np.tensordot(LUMA, values, 1)[None]
    return np.ascontiguousarray(values)


def _resized(
    values: NDArray[np.float32], image: Image, size: tuple[int, int]
) -> NDArray[np.float32]:
    from hounsfield.preprocessing.contract import Preprocessing
    from hounsfield.preprocessing.resize import placed, resized

    x, y = image.geometry.spacing[:2] if image.geometry is not None else (1.0, 1.0)
    rows, columns = values.shape[2:]
    placement = placed((rows, columns), (x, y), Preprocessing(size=size))
    out = np.zeros((*values.shape[:2], *size), np.float32)
    for number, channel in enumerate(values):
        finite: NDArray[Any] = channel[np.isfinite(channel)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        resized(channel, (low, high), placement, out[number])  # to [0, 1], and back again
        out[number] *= high - low
        out[number] += low
    return out


def _own_range(image: Image) -> tuple[float, float]:
    units = {channel.unit for channel in image.channels}
    name = "HU" if units == {"HU"} else str(image.array.dtype)
    if name not in RANGES:
        raise UsageError(
            f"a histogram of {name} values without a range",
            expected=f"a range, or values that have their own ({', '.join(RANGES)})",
            remedy="--range LOW HIGH",
        )
    return RANGES[name]
