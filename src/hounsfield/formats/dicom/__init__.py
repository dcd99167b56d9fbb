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
from hounsfield.formats.dicom.file import looks_like_dicom
from hounsfield.formats.dicom.picture import picture_header, read_picture
from hounsfield.formats.dicom.series import find_all, read_stack, stack_of, volume_header
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
        if _is_segmentation(source):
            return seg.header(source)
        stack = stack_of(source)
        if stack is None:
            return picture_header(source)
        first, last = frame_range(source, len(stack.places))
        return volume_header(stack, first, last, stack.geometry)


def read(source: Source, like: Like | None = None) -> Image:
    """The pixels as physical values: HU, Bq/ml or SUV, or as stored; colours as RGB.

    Raises:
        FormatError: as `header`, or the pixels are truncated or damaged.
        GeometryError: as `header`; `Like(fill_gaps=True)` resamples uneven slices instead.
    """
    with refusing(source.file, "the header"):
        if _is_segmentation(source):
            return seg.read(source, like)
        stack = stack_of(source)
    if stack is None:
        return read_picture(source, like)
    return read_stack(source, stack, like)


def _is_segmentation(source: Source) -> bool:
    return source.known is None and len(source.paths) == 1 and seg.is_segmentation(source.file)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some slices or frames; the others are not read."""
    return read(source.part(z0, z1))
