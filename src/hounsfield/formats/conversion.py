"""From one format to another: what is kept, what is refused, what is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield import formats
from hounsfield.errors import FormatError, InputError, UsageError
from hounsfield.formats.contract import Like, Source, Suv
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image

_KEEPS_GEOMETRY = ("nifti", "nrrd", "metaimage", "mgh", "minc")


@dataclass(frozen=True)
class Choices:
    """What a user states, so that no loss is silent."""

    window: tuple[float, float] | None = None  # centre, width: grey is spread over it
    voi: bool = False  # the file's own window or VOI LUT
    bits: int = 8  # of the windowed picture: 8 or 16
    plane: int | None = None  # this slice or frame alone
    suv: Suv | None = None  # PET as SUV
    fill_gaps: bool = False  # uneven slices onto an even grid
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise UsageError(f"{self.bits} bits", expected="8 or 16")
        if self.window is not None and self.voi:
            raise UsageError("a window and the file's own window", remedy="choose one of them")


def convert(source: Source | Path, target: Path, choices: Choices) -> list[str]:
    """Convert one image; what the target has no place for is returned in words.

    Raises:
        UsageError: the target exists, or no format writes its suffix.
        FormatError: unreadable, or the values would be changed without a choice that says so.
    """
    if target.exists() and not choices.overwrite:
        raise UsageError("exists already", file=target, remedy="--overwrite replaces it")
    one = formats.named(source)
    name = formats.format_of(target)
    image = formats.read(_one_plane(one, choices), like=_like(choices))
    try:
        formats.write(_spread(image, choices), target)
    except FormatError as error:
        raise error.of(one.file) from error
    return _lost(image, name)


def _like(choices: Choices) -> Like | None:
    like = Like(choices.window, choices.voi, None, choices.suv, choices.fill_gaps)
    return None if like == Like() else like


def _one_plane(source: Source, choices: Choices) -> Source:
    """The slice of a volume, or the frame of a film, that was asked for."""
    if choices.plane is None:
        return source
    header = formats.header(source)
    depth = header.shape[1]
    film = not isinstance(header.geometry, Patient) and header.channels[0].time is not None
    if depth == 1 and film:
        depth = header.shape[0] // (3 if header.channels[0].colour else 1)
    if not 0 <= choices.plane < depth:
        raise InputError(
            f"no plane {choices.plane}", file=source.file, expected=f"0 to {depth - 1}"
        )
    return replace(source, frames=(choices.plane, choices.plane + 1))


def _spread(image: Image, choices: Choices) -> Image:
    """A windowed image as whole numbers of 8 or 16 bits."""
    if choices.window is None and not choices.voi:
        return image
    if np.isnan(image.array).any():
        raise FormatError(
            "some pixels are not a number (NaN), and whole numbers cannot say so",
            remedy="write NIfTI without a window",
        )
    top = (1 << choices.bits) - 1
    dtype = np.uint8 if choices.bits == 8 else np.uint16
    return replace(image, array=np.rint(image.array * np.float32(top)).astype(dtype))


def _lost(image: Image, name: str) -> list[str]:
    """What the format has no place for, and what was made up on the user's word."""
    notes = []
    filled: Any = image.stored.get("filled")
    if filled:
        notes.append(
            f"slices at {len(filled['positions_mm'])} uneven places were resampled linearly "
            f"onto {filled['slices']} even ones"
        )
    if image.geometry is None or name in _KEEPS_GEOMETRY:
        return notes
    size = " × ".join(f"{mm:.4g}" for mm in image.geometry.spacing)
    what = "pixel size" if isinstance(image.geometry, Plane) else "place and voxel size"
    kept = f"the {what} ({size} mm) is not kept: {name} has no room for it; .nii.gz has"
    return [*notes, kept]
