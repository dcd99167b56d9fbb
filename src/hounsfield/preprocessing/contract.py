"""What preparing an image gives. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.preprocessing.settings import Augmentation, Preprocessing

__all__ = ["Augmentation", "Prepared", "Preprocessing", "Summary"]


@dataclass(frozen=True)
class Summary:
    """An image's finite physical values before any clipping: what it is like, in six numbers.

    Of the grey values where colour becomes grey. All 0 where no value is finite;
    `not_finite` says how many are NaN or infinite.
    """

    minimum: float = 0.0
    p1: float = 0.0
    median: float = 0.0
    p99: float = 0.0
    maximum: float = 0.0
    mean: float = 0.0
    not_finite: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about these values, for a list of images that deserve a look."""
        odd = (f"{self.not_finite} values are not finite",) if self.not_finite else ()
        return (*odd, "all values are equal") if self.minimum == self.maximum else odd


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared image, before normalisation, and where it lies on the original.

    `array` (C, Z, Y, X) float32 in [0, 1]; `original_from_prepared` (3, 3) maps pixel centres
    (x, y) of the prepared picture to those of the original, whose (Y, X) is `original`.
    `summary` is of the physical values that it came from.
    """

    array: NDArray[np.float32]
    original_from_prepared: NDArray[np.float64]
    original: tuple[int, int]
    summary: Summary = Summary()

    def boxes_to_original(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """(N, 4) boxes x0, y0, x1, y1 by their edges, clipped to the original picture."""
        return self._moved(boxes, self.original_from_prepared, self.original)

    def boxes_from_original(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """The inverse of `boxes_to_original`, clipped to the prepared picture."""
        prepared_from_original = np.linalg.inv(self.original_from_prepared)
        return self._moved(boxes, prepared_from_original, self.array.shape[2:])

    @staticmethod
    def _moved(
        boxes: NDArray[Any], new_from_old: NDArray[Any], size: tuple[int, ...]
    ) -> NDArray[np.float64]:
        edges = np.asarray(boxes, np.float64).reshape(-1, 2, 2) - 0.5  # edges to centre coordinates
        moved = edges @ new_from_old[:2, :2].T + new_from_old[:2, 2] + 0.5
        clipped: NDArray[np.float64] = np.clip(moved, 0, [size[1], size[0]])
        return clipped.reshape(-1, 4)
