"""DICOM: single files of any modality, one or several frames.

Several frames lie along Z in the order in which they are stored. Series of files and the
geometry of enhanced multi-frame files are not assembled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.contract import Header, Like, Source, as_small
from hounsfield.formats.dicom import values
from hounsfield.formats.dicom.codecs import CODECS
from hounsfield.formats.dicom.file import DicomFile, looks_like_dicom, open_dicom
from hounsfield.formats.dicom.geometry import geometry_of
from hounsfield.formats.dicom.header import (
    WANTED,
    PixelForm,
    Tags,
    facts,
    identity,
    no_pixels,
    pixel_form,
)
from hounsfield.formats.dicom.pixels import check_pixels, stored_values
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.image import RGB, Channel, Image

SUFFIX = ".dcm"
EXTRA = None


@dataclass(frozen=True, eq=False)
class _Picture:
    """A file whose header has been read."""

    file: DicomFile
    tags: Tags
    form: PixelForm
    scale: values.Scale


def sniff(head: bytes, path: Path) -> bool:
    return looks_like_dicom(head)


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """Tags only, from the first kilobytes of the file.

    Raises:
        FormatError: no pixels, a missing or impossible element, or more pixels promised than
            the file holds.
        GeometryError: an orientation or spacing that is none.
    """
    return _header(source, _picture(source.file))


def read(source: Source, like: Like | None = None) -> Image:
    """The pixels as physical values: HU, or as stored; colours as RGB.

    Raises:
        FormatError: as `header`, or the pixels are truncated or damaged.
    """
    picture = _picture(source.file)
    head = _header(source, picture)
    form, file = picture.form, picture.file
    first, last = frame_range(source, form.frames)
    with refusing(file.path, "the pixels"):
        stored = stored_values(file, form, first, last)
        if not form.colour:
            array = values.viewed(stored, form, picture.scale, picture.tags, like)
        else:
            if like is not None and (like.window is not None or like.voi):
                raise FormatError("a colour picture has no window", file=file.path)
            array = _colours(stored, picture)
    return Image(as_small(array), head.geometry, head.channels, _stored(picture))


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some frames; the others are not read."""
    first, _ = source.frames or (0, 0)
    part = Source(source.root, source.paths, source.member, (first + z0, first + z1))
    return read(part)


def _picture(path: Path) -> _Picture:
    with refusing(path, "the header"):
        file = open_dicom(path, WANTED)
        tags = Tags(file.elements, path)
        if file.pixels is None:
            raise no_pixels(file, tags)
        form = pixel_form(file, tags)
        check_pixels(file, form)
        return _Picture(file, tags, form, values.scale_of(tags, form))


def _header(source: Source, picture: _Picture) -> Header:
    form, tags, scale = picture.form, picture.tags, picture.scale
    first, last = frame_range(source, form.frames)
    with refusing(source.file, "the header"):
        window = None if form.colour else values.own_window(tags, form, scale)
        return Header(
            format="dicom",
            shape=(3 if form.colour else 1, last - first, form.rows, form.columns),
            dtype=values.value_dtype(form, scale),
            geometry=geometry_of(tags, form.frames),
            channels=RGB if form.colour else (Channel(unit=scale.unit),),
            modality=tags.text("Modality"),
            identity=identity(tags),
            facts=facts(tags, window, _coding(picture)),
        )


def _coding(picture: _Picture) -> str:
    """The stored type and coding in words."""
    form = picture.form
    codec = CODECS.get(picture.file.syntax)
    bits = f"{form.stored} bits in {form.dtype}, {form.photometric}"
    return f"{bits}, {codec.name}" if codec else bits


def _stored(picture: _Picture) -> dict[str, object]:
    """What a writer needs to invert reading."""
    form, scale = picture.form, picture.scale
    return {
        "format": "dicom",
        "dtype": str(form.dtype),
        "bits": form.stored,
        "photometric": form.photometric,
        "inverted": scale.inverted,
        "slope": scale.slope,
        "intercept": scale.intercept,
        "syntax": picture.file.syntax,
        "source_uid": picture.tags.text("SOPInstanceUID"),
    }


def _colours(stored: NDArray[Any], picture: _Picture) -> NDArray[Any]:
    """RGB, whatever the photometric interpretation."""
    if picture.form.photometric == "PALETTE COLOR":
        return values.palette_rgb(stored, picture.file.path)
    return stored
