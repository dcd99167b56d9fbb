"""What a plan says about preparing and varying images. Light: `--help` imports it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SMALLEST, LARGEST = 8, 16384  # pixels a side of a network's input


class Preprocessing(BaseModel):
    """From physical values on the image's own grid to the network's input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int] = Field((224, 224), description="height, width of the network's input")
    fit: Literal["pad", "stretch"] = Field("pad", description="keep the aspect by padding, or not")
    crop: Literal["none", "field"] = Field(
        "none", description="field: cut to what a dark surround encloses (retina, endoscopy)"
    )
    slices: Literal["adjacent", "spread", "resampled"] = Field(
        "adjacent",
        description="of a volume: neighbours, slices spread evenly over it, or all of it "
        "interpolated to `depth`",
    )
    depth: int = Field(1, ge=1, le=4096, description="slices that the network gets of a volume")
    slice_at: float = Field(
        0.5, ge=0, le=1, description="slices=adjacent: where, from the first slice to the last"
    )
    colour: bool = Field(False, description="three channels; otherwise colour becomes grey")
    clip: Literal["percentile", "window", "none"] = Field(
        "percentile", description="what the intensities are cut to before they are scaled"
    )
    percentiles: tuple[float, float] = Field((0.5, 99.5), description="for clip=percentile")
    window: tuple[float, float] | None = Field(None, description="centre, width; clip=window")
    range: tuple[float, float] | None = Field(
        None, description="clip=none: the values that become 0 and 1; otherwise the type's range"
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
    mixup: float = Field(
        0.0, ge=0, description="blend two patients' pictures, unphysical: alpha, e.g. 0.2; 0: off"
    )
    cutmix: float = Field(
        0.0, ge=0, description="put pieces into other pictures, unphysical: alpha, e.g. 1; 0: off"
    )
