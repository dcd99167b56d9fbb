"""From one format to another: what is kept, what is refused, what is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hounsfield import formats
from hounsfield.errors import FormatError, InputError, UsageError
from hounsfield.formats.choices import windowed
from hounsfield.formats.contract import Filled, Like, Source, Suv
from hounsfield.formats.windows import named_window
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Channel, Image

_LEANS = 0.05  # degrees: header decimals make less
_KEEPS_GEOMETRY = ("nifti", "nrrd", "metaimage", "mgh", "minc")


@dataclass(frozen=True)
class Choices:
    """What a user states, so that no loss is silent."""

    window: tuple[float, float] | None = None  # centre, width: grey is spread over it
    organ: str | None = None  # the same by the name of a CT window
    voi: bool = False  # the file's own window or VOI LUT
    bits: int = 8  # of the windowed picture: 8 or 16
    plane: int | None = None  # this slice or frame alone
    channel: int | None = None  # this volume, contrast or band alone
    suv: Suv | None = None  # PET as SUV
    fill_gaps: bool = False  # uneven slices onto an even grid
    straight: bool = False  # slices that lean, as of a tilted gantry, onto a straight grid
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise UsageError(f"{self.bits} bits", expected="8 or 16")
        if (self.window is not None) + (self.organ is not None) + self.voi > 1:
            raise UsageError("several windows", expected="one of --window, --organ and --voi")
        if self.organ is not None:
            named_window(self.organ)


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
        image = _chosen(image, choices)
        notes = _lost(image, name)
        formats.write(_spread(image, choices), target)
    except (FormatError, InputError) as error:
        raise error.of(one.file if len(one.files) == 1 else one.home) from error
    return notes


def _chosen(image: Image, choices: Choices) -> Image:
    """One channel, straightened, through an organ's window, where these were asked for."""
    if choices.channel is not None:
        if not 0 <= choices.channel < image.shape[0]:
            raise InputError(f"no channel {choices.channel}", expected=f"0 to {image.shape[0] - 1}")
        one = slice(choices.channel, choices.channel + 1)
        image = replace(image, array=image.array[one], channels=image.channels[one])
    if choices.straight and leaning(image.geometry) > _LEANS:
        from hounsfield.spatial import straight

        image = straight(image)
    if choices.organ is None:
        return image
    units = {channel.unit for channel in image.channels} - {"HU", None}
    modality = image.stored.get("modality")
    if units or modality not in ("CT", None):
        what = ", ".join(sorted(map(str, units))) or f"values of modality {modality}"
        raise FormatError(
            f"a CT window for {what}", expected="Hounsfield units", remedy="--window CENTRE WIDTH"
        )
    channels = tuple(replace(channel, unit=None) for channel in image.channels)
    seen = windowed(image.array, *named_window(choices.organ))
    return replace(image, array=seen, channels=channels)


def _like(choices: Choices) -> Like | None:
    like = Like(choices.window, choices.voi, None, choices.suv, choices.fill_gaps)
    return None if like == Like() else like


def _one_plane(source: Source, choices: Choices) -> Source:
    """The slice of a volume, or the frame of a film, that was asked for."""
    if choices.plane is None:
        return source
    header = formats.header(source)
    depth, first = header.shape[1], header.channels[0] if header.channels else Channel()
    film = not isinstance(header.geometry, Patient) and first.time is not None
    if depth == 1 and film:
        depth = header.shape[0] // (3 if first.colour else 1)
    if not 0 <= choices.plane < depth:
        raise InputError(
            f"no plane {choices.plane}", file=source.file, expected=f"0 to {depth - 1}"
        )
    return source if depth == 1 else replace(source, frames=(choices.plane, choices.plane + 1))


def _spread(image: Image, choices: Choices) -> Image:
    """A windowed image as whole numbers of 8 or 16 bits."""
    if choices.window is None and choices.organ is None and not choices.voi:
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
    filled = image.stored.get("filled")
    notes = filled.words if isinstance(filled, Filled) else []
    if name in _KEEPS_GEOMETRY and (lean := leaning(image.geometry)) > _LEANS:
        notes.append(
            f"the slices lean by {lean:.1f}° and the affine keeps that; some programs (SimpleITK "
            "for NIfTI) refuse it: --straight resamples onto a straight grid"
        )
    if image.geometry is None or name in _KEEPS_GEOMETRY:
        return notes
    size = " × ".join(f"{mm:.4g}" for mm in image.geometry.spacing)
    what = "pixel size" if isinstance(image.geometry, Plane) else "place and voxel size"
    kept = f"the {what} ({size} mm) is not kept: {name} has no room for it; .nii.gz has"
    return [*notes, kept]


def leaning(geometry: Geometry) -> float:
    """How far, in degrees, the voxels' axes are from standing upright on each other."""
    if not isinstance(geometry, Patient):
        return 0.0
    return float(np.degrees(np.arcsin(min(geometry.skew, 1.0))))
