"""DICOM: any modality, in one file or many.

Frames that have a place in the patient become volumes, whatever files they lie in: `stack` says
which belong together, `volume` reads them. A picture without a place (a radiograph, a photo) is
an image by itself; its frames lie along C with their times where it is a film, else along Z in
the order in which they are stored. Segmentations have a grid of their own (`seg`).
"""

from __future__ import annotations

from pathlib import Path

from hounsfield.formats.contract import Header, Like, Source
from hounsfield.formats.dicom import seg
from hounsfield.formats.dicom.file import DicomFile, looks_like_dicom, open_dicom
from hounsfield.formats.dicom.frames import Scanner
from hounsfield.formats.dicom.picture import picture_header, read_picture
from hounsfield.formats.dicom.series import find_all, read_stack, stack_of, volume_header
from hounsfield.formats.dicom.stack import Stack
from hounsfield.formats.dicom.tags import SEGMENTATIONS, TAG, WANTED
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.image import Image

SUFFIX = ".dcm"
EXTRA = None


def sniff(head: bytes, path: Path) -> bool:
    return looks_like_dicom(head)


def find(path: Path) -> list[Source]:
    """The images of one file: several only where an enhanced file holds several stacks."""
    sources, _ = find_all([path])
    return sources or [Source.of(path)]  # reading it says what is wrong


def header(source: Source) -> Header:
    """Tags only, from the first kilobytes of each file.

    Raises:
        FormatError: no pixels, a missing or impossible element, or more pixels promised than
            the file holds.
        GeometryError: an orientation or spacing that is none; slices that are missing, doubled
            or unevenly spaced.
    """
    with refusing(source.file, "the header"):
        found = _found(source)
        if isinstance(found, DicomFile):
            return seg.header(source) if _is_seg(found) else picture_header(source, found)
        first, last = frame_range(source, len(found.places))
        return volume_header(found, first, last, found.geometry)


def read(source: Source, like: Like | None = None) -> Image:
    """The pixels as physical values: HU, Bq/ml or SUV, or as stored; colours as RGB.

    Raises:
        FormatError: as `header`, or the pixels are truncated or damaged.
        GeometryError: as `header`; `Like(fill_gaps=True)` resamples uneven slices instead.
    """
    with refusing(source.file, "the header"):
        found = _found(source)
    if isinstance(found, Stack):
        return read_stack(source, found, like)
    return seg.read(source, like) if _is_seg(found) else read_picture(source, found, like)


def _found(source: Source) -> Stack | DicomFile:
    """The volume that a source names; of a picture without a place, its opened file."""
    if isinstance(source.known, Stack):
        return source.known
    if len(source.paths) > 1:
        return stack_of(source)
    file = open_dicom(source.file, WANTED)
    _, frames = Scanner().frames_of(file)
    return stack_of(source, frames) if frames else file


def _is_seg(file: DicomFile) -> bool:
    return file.elements.text(TAG["SOPClassUID"]) in SEGMENTATIONS


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some slices or frames; the others are not read."""
    return read(source.part(z0, z1))
