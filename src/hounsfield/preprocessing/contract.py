"""What preparing an image gives, and what a plan says about it. Light: imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

SMALLEST, LARGEST = 8, 16384  # pixels a side of a network's input


class Preprocessing(BaseModel):
    """From physical values on the image's own grid to the network's input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int] = Field((224, 224), description="height, width of the network's input")
    fit: Literal["pad", "stretch"] = Field("pad", description="keep the aspect by padding, or not")
    colour: bool = Field(False, description="three channels; otherwise colour becomes grey")
    clip: Literal["percentile", "window", "none"] = Field(
        "percentile", description="what the intensities are cut to before they are scaled"
    )
    percentiles: tuple[float, float] = Field((0.5, 99.5), description="for clip=percentile")
    window: tuple[float, float] | None = Field(None, description="centre, width; clip=window")
    range: tuple[float, float] | None = Field(
        None, description="clip=none: the values that become 0 and 1; None: the type's range"
    )
    normalise: Literal["dataset", "image", "zero-one", "minus-one-one"] = Field(
        "dataset",
        description="dataset: z-score by the training part's mean and standard deviation; "
        "image: z-score of each image; or a plain range",
    )
    mean: tuple[float, ...] = Field((), description="of the training part, per channel")
    std: tuple[float, ...] = Field((), description="of the training part, per channel")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if min(self.size) < SMALLEST or max(self.size) > LARGEST:
            raise ValueError(f"size {self.size}: each side must be {SMALLEST} to {LARGEST} pixels")
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentiles {self.percentiles}: must rise and lie within 0 to 100")
        if self.clip == "window" and self.window is None:
            raise ValueError("clip=window needs window: (centre, width), e.g. (40, 400)")
        if self.window is not None and not self.window[1] > 0:
            raise ValueError(f"window {self.window}: the width must be above 0")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range {self.range}: must rise")
        if len(self.mean) != len(self.std) or any(std < 0 for std in self.std):
            raise ValueError("mean and std need one number each per channel, std not below 0")
        return self


class Augmentation(BaseModel):
    """Random changes of the training images; each 0 or False turns one off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: bool = Field(False, description="mirror left and right, where anatomy allows it")
    rotate: float = Field(10.0, ge=0, le=180, description="degrees, either way")
    scale: float = Field(0.15, ge=0, lt=1, description="zoom by up to this share, either way")
    stretch: float = Field(0.05, ge=0, lt=1, description="width against height, either way")
    shift: float = Field(0.08, ge=0, lt=1, description="share of the picture, either way")
    brightness: float = Field(0.2, ge=0, description="in standard deviations, either way")
    contrast: float = Field(0.2, ge=0, lt=1, description="share, either way")
    gamma: float = Field(0.2, ge=0, lt=1, description="log2 of the exponent, either way")
    noise: float = Field(0.05, ge=0, description="largest noise, in standard deviations")
    blur: float = Field(0.5, ge=0, description="largest blur sigma, in pixels")


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
