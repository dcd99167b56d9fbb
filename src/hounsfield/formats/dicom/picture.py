"""A DICOM picture without a place in the patient: a radiograph, a photo, a film."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.contract import Header, Like, Source, as_small
from hounsfield.formats.dicom import values
from hounsfield.formats.dicom.codecs import coding
from hounsfield.formats.dicom.file import DicomFile
from hounsfield.formats.dicom.film import as_film, frame_times, is_film
from hounsfield.formats.dicom.geometry import plane_of
from hounsfield.formats.dicom.pixels import check_pixels, stored_values
from hounsfield.formats.dicom.tags import (
    PixelForm,
    Tags,
    facts,
    identity,
    no_pixels,
    pixel_form,
)
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.image import RGB, Channel, Image


@dataclass(frozen=True, eq=False)
class _Picture:
    """A file whose header has been read."""

    file: DicomFile
    tags: Tags
    form: PixelForm
    scale: values.Scale


def _opened(file: DicomFile) -> _Picture:
    with refusing(file.path, "the header"):
        tags = Tags(file.elements, file.path)
        if file.pixels is None:
            raise no_pixels(file, tags)
        form = pixel_form(file, tags)
        check_pixels(file, form)
        values.check_one_line(tags)
        return _Picture(file, tags, form, values.scale_of(tags, form))


def _described(source: Source, picture: _Picture) -> Header:
    form, tags, scale = picture.form, picture.tags, picture.scale
    first, last = frame_range(source, form.frames)
    with refusing(source.file, "the header"):
        window = None if form.colour else values.own_window(tags, form, scale)
        colours = RGB if form.colour else (Channel(unit=scale.unit),)
        film = is_film(tags, form)
        count = last - first
        times = frame_times(tags, form.frames)[first:last]
        return Header(
            format="dicom",
            shape=(
                len(colours) * (count if film else 1), 1 if film else count, form.rows, form.columns
            ),
            dtype=values.value_dtype(form, scale),
            geometry=plane_of(tags),
            channels=tuple(replace(c, time=t) for t in times for c in colours) if film else colours,
            modality=tags.text("Modality"),
            identity=identity(tags),
            facts=facts(tags, window, coding(picture.file, form)),
        )  # fmt: skip


def picture_header(source: Source, file: DicomFile) -> Header:
    """What a picture's file says."""
    return _described(source, _opened(file))


def read_picture(source: Source, file: DicomFile, like: Like | None) -> Image:
    picture = _opened(file)
    head = _described(source, picture)
    form = picture.form
    first, last = frame_range(source, form.frames)
    with refusing(file.path, "the pixels"):
        stored = stored_values(file, form, first, last)
        if not form.colour:
            array = values.viewed(stored, form, picture.scale, picture.tags, like)
        else:
            if like is not None and (like.window is not None or like.voi):
                raise FormatError("a colour picture has no window", file=file.path)
            array = _colours(stored, picture)
    if is_film(picture.tags, form):
        array = as_film(array)
    return Image(as_small(array), head.geometry, head.channels, _stored(picture))


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
