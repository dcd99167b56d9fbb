"""Which voxels of an axis a new one is made of, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.spatial.grid import HALF, NEAR

POLE = np.sqrt(3.0) - 2  # of the cubic B-spline's inverse filter (Unser 1999, box 2)
GAIN = 6.0
REACH = 16  # voxels after which a coefficient has forgotten a value to 1e-9: |POLE|**16


@dataclass(frozen=True, eq=False)
class Taps:
    """The new voxels `start` and on of an axis, those inside: `index` and `weight` (new, taps).

    One tap copies, two are linear, four are a cubic B-spline on filtered coefficients.
    """

    start: int
    index: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def stop(self) -> int:
        return self.start + len(self.index)

    def cut(self, first: int, last: int) -> Taps:
        """The new voxels `first` up to `last`, counted from `start`."""
        return Taps(self.start + first, self.index[first:last], self.weight[first:last])

    def window(self, size: int) -> tuple[int, int]:
        """The old voxels needed, of `size`: a slice, with what the cubic filter forgets."""
        reach = REACH if self.index.shape[1] == 4 else 0
        return max(int(self.index.min()) - reach, 0), min(int(self.index.max()) + 1 + reach, size)


def taps(step: float, offset: float, old: int, new: int, order: int) -> Taps:
    """For new voxel k at `step * k + offset` of `old` voxels.

    Inside is what lies in a voxel: from half a voxel before the first centre to half a voxel
    behind the last one. There the edge voxel is repeated (cubic: the volume is mirrored).
    """
    at: NDArray[Any] = step * np.arange(new) + offset
    inside = np.flatnonzero((at >= -0.5 - NEAR) & (at <= old - 0.5 + NEAR))
    if not inside.size:
        return Taps(0, np.zeros((0, 1), np.int64), np.zeros((0, 1)))
    start, at = int(inside[0]), at[inside]
    whole = np.rint(at)
    if order == 0:
        whole = np.clip(np.floor(at + HALF), 0, old - 1)  # of two as near, the later one
    if order == 0 or np.abs(at - whole).max() < NEAR:
        index = whole.astype(np.int64)[:, None]
        return Taps(start, index, np.ones(index.shape))
    return Taps(start, *(_linear(at, old) if order == 1 else _cubic(at, old)))


def _linear(at: NDArray[np.float64], old: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    at = np.clip(at, 0, old - 1)
    near = np.abs(at - np.rint(at)) < 1e-9  # a voxel met exactly is not mixed with a NaN beside
    at = np.where(near, np.rint(at), at)
    below = np.floor(at)
    index = np.stack([below, np.ceil(at)], 1).astype(np.int64)
    return index, np.stack([1 - (at - below), at - below], 1)


def _cubic(at: NDArray[np.float64], old: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    below = np.floor(at)
    t = at - below
    index = mirrored(below.astype(np.int64)[:, None] + np.arange(-1, 3), old)
    weight = np.stack(
        [
            (1 - t) ** 3 / 6,
            2 / 3 - t * t * (2 - t) / 2,
            2 / 3 - (1 - t) ** 2 * (1 + t) / 2,
            t**3 / 6,
        ],
        1,
    )
    return index, weight


def mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices of a volume that is mirrored at the centres of its first and last voxels."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    return np.asarray(np.minimum(folded, period - folded))


def first_weights(size: int) -> NDArray[np.float64]:
    """What values 0, 1, ... of a mirrored line of `size` give its first causal coefficient.

    Unser 1999, eq. 2.4, summed over the mirror's period and cut where float64 ends.
    """
    if size == 1:
        return np.ones(1)
    k = np.arange(min(size, 32))
    period = 2 * (size - 1)
    weight = POLE**k + np.where((k > 0) & (k < size - 1), POLE ** (period - k), 0.0)
    return np.asarray(weight / (1 - POLE**period))
