"""From one format to another: what is kept, what is refused, what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.errors import FormatError, HounsfieldError, InputError, StorageError, UsageError
from hounsfield.formats.choices import windowed
from hounsfield.formats.contract import Header, Like, Source
from hounsfield.geometry import Plane
from hounsfield.image import Image

_KEEPS_GEOMETRY = ("nifti", "nrrd", "metaimage", "mgh", "minc")
# Cut from a name before the new suffix is put on; a UID's last number is no suffix.
_SUFFIXES = (".dcm", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".npz", ".csv",
             ".nrrd", ".nhdr", ".mha", ".mhd", ".mgh", ".mgz", ".mnc")  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """What a user states, so that no loss is silent."""

    window: tuple[float, float] | None = None  # centre, width: grey is spread over it
    voi: bool = False  # the file's own window or VOI LUT
    bits: int = 8  # of the windowed picture: 8 or 16
    plane: int | None = None  # this slice or frame alone
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise UsageError(f"{self.bits} bits", expected="8 or 16")
        if self.window is not None and self.voi:
            raise UsageError("a window and the file's own window", remedy="choose one of them")


@dataclass(frozen=True)
class Done:
    """One file of a folder: where it went, what was not kept, or why it was not converted."""

    source: Path
    target: Path | None
    notes: tuple[str, ...] = ()
    reason: str | None = None


def convert(source: Source | Path, target: Path, choices: Choices) -> list[str]:
    """Convert one image; what the target has no place for is returned in words.

    Raises:
        UsageError: the target exists, or no format writes its suffix.
        FormatError: unreadable, or the values would be changed without a choice that says so.
    """
    if target.exists() and not choices.overwrite:
        raise UsageError("exists already", file=target, remedy="--overwrite replaces it")
    opened = formats.open(source)
    name = formats.format_of(target)
    image = formats.read(_one_plane(opened, choices), like=_like(choices))
    try:
        formats.write(_spread(image, choices), target)
    except FormatError as error:
        raise FormatError(
            error.problem, file=opened.source.file, expected=error.expected, remedy=error.remedy
        ) from error
    return _lost(opened.header, name)


def convert_folder(folder: Path, out: Path, suffix: str, choices: Choices) -> Iterator[Done]:
    """Convert every image of a folder, keeping the tree; a bad file is told and passed over."""
    formats.format_of(Path(f"x{suffix}"))
    taken: set[Path] = set()
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or out.resolve() in file.resolve().parents:
            continue
        try:
            found = formats.find(file)
        except HounsfieldError as error:
            yield Done(file, None, reason=error.problem)
            continue
        for source in found:
            target = _free(_target(file.relative_to(folder), source, suffix), out, taken)
            try:
                yield Done(file, target, tuple(convert(source, target, choices)))
            except StorageError:
                raise  # the next file would fare no better
            except HounsfieldError as error:
                yield Done(file, None, reason=error.problem)


def _target(inside: Path, source: Source, suffix: str) -> Path:
    stem = inside.name
    for known in (".gz", *_SUFFIXES):
        stem = stem[: -len(known)] if stem.lower().endswith(known) and stem != known else stem
    if source.member is None:
        return inside.with_name(f"{stem}{suffix}")
    # A member is a name from inside the file: its parts are kept only where they are plain.
    plain = "-".join(part for part in source.member.split("/") if part not in ("", ".", ".."))
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain)
    return inside.with_name(stem) / f"{safe}{suffix}"


def _free(inside: Path, out: Path, taken: set[Path]) -> Path:
    """Two files that would have one name (a.png, a.dcm) get numbers."""
    target, number = out / inside, 1
    while target in taken:
        number += 1
        name, _, rest = inside.name.partition(".")
        target = out / inside.with_name(f"{name}-{number}.{rest}")
    taken.add(target)
    return target


def _like(choices: Choices) -> Like | None:
    if choices.window is None and not choices.voi:
        return None
    return Like(window=choices.window, voi=choices.voi)


def _one_plane(opened: formats.Opened, choices: Choices) -> Source:
    if choices.plane is None:
        return opened.source
    depth = opened.header.shape[1]
    if not 0 <= choices.plane < depth:
        raise InputError(
            f"no plane {choices.plane}", file=opened.source.file, expected=f"0 to {depth - 1}"
        )
    return replace(opened.source, frames=(choices.plane, choices.plane + 1))


def _spread(image: Image, choices: Choices) -> Image:
    """A windowed image as whole numbers of 8 or 16 bits."""
    if _like(choices) is None:
        return image
    if np.isnan(image.array).any():
        raise FormatError(
            "some pixels are not a number (NaN), and whole numbers cannot say so",
            remedy="write NIfTI without a window",
        )
    top = (1 << choices.bits) - 1
    dtype = np.uint8 if choices.bits == 8 else np.uint16
    return replace(image, array=np.rint(image.array * np.float32(top)).astype(dtype))


def _lost(header: Header, name: str) -> list[str]:
    if header.geometry is None or name in _KEEPS_GEOMETRY:
        return []
    size = " × ".join(f"{mm:.4g}" for mm in header.geometry.spacing)
    what = "pixel size" if isinstance(header.geometry, Plane) else "place and voxel size"
    return [f"the {what} ({size} mm) is not kept: {name} has no room for it; .nii.gz has"]


def picture(image: Image, window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """The middle slice as (Y, X) or (Y, X, 3) uint8: windowed, else from the 1st to 99th %."""
    middle: NDArray[Any] = image.array[:, image.shape[1] // 2]
    if image.shape[0] == 3 and image.array.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(middle, 0, 2))
    grey = middle[0].astype(np.float32)
    if window is None:
        finite = grey[np.isfinite(grey)]
        low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
        window = (float(low + high) / 2, max(float(high - low), 1e-6))
    scaled = np.nan_to_num(windowed(grey, *window))
    return np.rint(scaled * 255).astype(np.uint8)
