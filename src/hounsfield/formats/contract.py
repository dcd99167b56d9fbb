"""What a format is: a module with these functions, listed in `formats.FORMATS`.

SUFFIX: str                                    the one we write, e.g. ".nii.gz"
EXTRA: str | None                              the optional extra it needs, or None
sniff(head, path) -> bool                      does the content look like this format?
find(path) -> list[Source]                     the images in a file, without their pixels
header(source) -> Header                       what is known without decoding pixels
read(source, like=None) -> Image               the pixels, as physical values
slab(source, z0, z1) -> Image                  optional: some planes without the rest
write(image, path) -> None                     optional: whole or not at all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.folders import home
from hounsfield.geometry import Geometry
from hounsfield.image import Channel, Image


class NotAnImage(FormatError):  # noqa: N818  # nothing is wrong with the file
    """A sound file that holds no picture: a table, a report, a plan of treatment."""


@dataclass(frozen=True)
class Source:
    """Where an image lies: files relative to a root that can move, and which part of them.

    `member` names one picture of a file that holds several; `frames` is a half-open range.
    """

    root: str
    paths: tuple[str, ...]
    member: str | None = None
    frames: tuple[int, int] | None = None
    # What finding it has read already, so that reading need not do so again
    known: object = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, path: str | Path, member: str | None = None) -> Source:
        path = Path(path)
        return cls(str(path.parent), (path.name,), member)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        return tuple(Path(self.root, path) for path in self.paths)

    def part(self, z0: int, z1: int) -> Source:
        """Planes z0 ≤ z < z1 of this image."""
        first, _ = self.frames or (0, 0)
        return replace(self, frames=(first + z0, first + z1))

    @property
    def file(self) -> Path:
        """The only or first file."""
        return self.files[0]

    @property
    def home(self) -> Path:
        """The folder that holds all files."""
        return home(self.files)

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 1} more files" if len(self.paths) > 1 else ""
        return f"{self.file}{f'#{self.member}' if self.member else ''}{more}"


@dataclass(frozen=True)
class Identity:
    """Who and which: protected health information. Never printed, logged or stored as it is."""

    patient: str | None = None
    study: str | None = None
    series: str | None = None
    instance: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the source says about the picture that is not an identity."""

    sex: str | None = None  # "F", "M", "O"
    age: float | None = None  # years
    view: str | None = None  # "PA", "AP", "LL", …
    body_part: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    window: tuple[float, float] | None = None  # centre, width, in physical values
    stored: str | None = None  # the stored type and coding, e.g. "12 bits in uint16, RLE"
    series: int | None = None  # the scanner's number of the series


@dataclass(frozen=True, eq=False)
class Header:
    """An image without its pixels. `shape` is (C, Z, Y, X), `dtype` that of the values read."""

    format: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[np.generic]
    geometry: Geometry = None
    channels: tuple[Channel, ...] = ()
    modality: str | None = None  # DICOM's codes (CR, DX, CT, MR, US, …)
    identity: Identity = field(default_factory=Identity, repr=False)
    facts: Facts = field(default_factory=Facts)


@runtime_checkable
class Format(Protocol):
    """The functions that every format module has (see the module's docstring)."""

    SUFFIX: str
    EXTRA: str | None

    def sniff(self, head: bytes, path: Path) -> bool: ...
    def find(self, path: Path) -> list[Source]: ...
    def header(self, source: Source) -> Header: ...
    def read(self, source: Source, like: Like | None = None) -> Image: ...


Suv = Literal["bw", "lbm", "lbm-james", "bsa"]


@dataclass(frozen=True)
class Like:
    """How to read: choices that change the values. The defaults give the physical ones."""

    window: tuple[float, float] | None = None  # centre, width: clip to it and scale to [0, 1]
    voi: bool = False  # apply the file's own VOI LUT or window (DICOM PS3.3 C.11.2)
    dtype: np.dtype[np.generic] | None = None
    suv: Suv | None = None  # PET: by body weight, lean mass or surface, instead of Bq/ml
    fill_gaps: bool = False  # slices at uneven places are resampled onto an even grid


@dataclass(frozen=True)
class Filled:
    """What `Like(fill_gaps=True)` did; `Image.stored["filled"]` where it did anything."""

    uneven_mm: tuple[float, ...]  # where the slices lay, from the first; empty: they were even
    slices: int
    damaged_mm: tuple[float, ...] = ()  # slices that could not be read, along the stack
    left_out: int = 0  # pictures at places that had one already

    @property
    def words(self) -> list[str]:
        """One sentence for each thing that was done."""
        said = []
        if self.damaged_mm:
            places = ", ".join(f"{mm:.2f}" for mm in self.damaged_mm[:4])
            more = ", …" if len(self.damaged_mm) > 4 else ""
            said.append(f"damaged slices at {places}{more} mm were left out and interpolated")
        if self.left_out:
            what = "1 picture" if self.left_out == 1 else f"{self.left_out} pictures"
            said.append(f"{what} at a place that had one already: left out")
        if self.uneven_mm:
            said.append(
                f"slices at {len(self.uneven_mm)} places, unevenly apart, were resampled linearly "
                f"onto {self.slices} even ones"
            )
        return said


HEAD_BYTES = 4096  # how much of a file `sniff` sees
MAX_BYTES = 16 << 30  # a header that promises a larger array is refused


def promised_bytes(shape: Sequence[int], dtype: np.dtype[np.generic]) -> int:
    """The bytes an array would take, computed without overflow."""
    total = dtype.itemsize
    for size in shape:
        total *= int(size)
    return total


def as_small(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array in native byte order and C order, copied only when it must be."""
    native = array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array, dtype=native)
