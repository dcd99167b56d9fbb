"""DICOM segmentations as label maps or probabilities (PS3.3 A.51 and C.8.20).

A segmentation has a grid of its own, which `seg_grid` reconstructs; places without a stored frame
hold nothing. Segments that share no voxel make one label map whose values are the segments'
numbers; overlapping ones are a channel of 0 and 1 each; fractional ones a channel each of stored
value / MaximumFractionalValue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Header, Like, Source
from hounsfield.formats.dicom.codecs import coding
from hounsfield.formats.dicom.file import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DicomFile,
    open_dicom,
)
from hounsfield.formats.dicom.pixels import check_pixels, stored_values
from hounsfield.formats.dicom.seg_grid import SegGrid, frames_said, grid_of
from hounsfield.formats.dicom.seg_segments import Segment, segments_of
from hounsfield.formats.dicom.tags import (
    SEGMENTATIONS,
    WANTED,
    PixelForm,
    Tags,
    facts,
    identity,
    no_pixels,
    pixel_form,
)
from hounsfield.formats.guard import CODEC_RATIO, check_promise, frame_range, refusing
from hounsfield.geometry import shifted
from hounsfield.image import Channel, Image

_STORAGE_CLASS = b"\x02\x00\x02\x00UI"  # of the file meta information (PS3.10 7.1)
_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")
_FREE = 1 << 16  # bytes of pixels that a file counts as having, when its grid is bounded
_RUN = 64  # frames decoded at a time


@dataclass(frozen=True, eq=False)
class _Seg:
    """A segmentation whose header has been read."""

    file: DicomFile
    tags: Tags
    form: PixelForm
    kind: str
    segments: tuple[Segment, ...]
    numbers: tuple[int, ...]  # of each frame's segment; 0 in label maps
    grid: SegGrid
    maximum: int  # that stands for 1 in fractional ones
    apart: bool  # no voxel belongs to two segments

    @property
    def dtype(self) -> np.dtype[np.generic]:
        if self.kind == "FRACTIONAL":
            return np.dtype(np.float32)
        if self.kind == "LABELMAP":
            return self.form.dtype
        most = self.segments[-1].number if self.apart else 1
        return np.dtype(np.uint8 if most <= 255 else np.uint16)

    @property
    def channels(self) -> tuple[Channel, ...]:
        if self.kind != "FRACTIONAL" and self.apart:
            names = [one.label for one in self.segments]
            return (Channel(names[0] if len(names) == 1 else "segments"),)
        return tuple(Channel(one.label or f"segment {one.number}") for one in self.segments)

    def shape(self, slices: int) -> tuple[int, int, int, int]:
        return len(self.channels), slices, self.form.rows, self.form.columns


def is_segmentation(path: Path) -> bool:
    """Whether a DICOM file is a segmentation, by the class that its first bytes name."""
    with path.open("rb") as file:
        head = file.read(1024)
    at = head.find(_STORAGE_CLASS)
    if head[128:132] == b"DICM" and at > 0:
        size = int.from_bytes(head[at + 6 : at + 8], "little")
        return head[at + 8 : at + 8 + size].strip(b"\0 ").decode("latin-1") in SEGMENTATIONS
    return Tags(open_dicom(path, WANTED).elements, path).text("SOPClassUID") in SEGMENTATIONS


def segments(path: str | Path) -> list[Segment]:
    """What the segments of a file are, by number; no pixel is read.

    Raises:
        FormatError: no segmentation, or damaged.
    """
    path = Path(path)
    with refusing(path, "the header"):
        tags = Tags(open_dicom(path, WANTED).elements, path)
        _check_class(tags)
        return list(segments_of(tags))


def _check_class(tags: Tags) -> None:
    if tags.text("SOPClassUID") not in SEGMENTATIONS:
        raise FormatError(
            "this is no DICOM segmentation", file=tags.path, expected="SOP class Segmentation"
        )


def _opened(path: Path) -> _Seg:
    with refusing(path, "the header"):
        file = open_dicom(path, WANTED)
        tags = Tags(file.elements, path)
        _check_class(tags)
        if file.pixels is None:
            raise no_pixels(file, tags)
        form = pixel_form(file, tags)
        check_pixels(file, form)
        kind = _kind(tags, form)
        described = segments_of(tags)
        said = frames_said(tags, form.frames)
        grid = grid_of(said, tags)
        numbers = tuple(int(one.segment[0]) if one.segment else 0 for one in said)
        if kind != "LABELMAP":
            numbers = _checked(numbers, described, grid, path)
        elif len(set(grid.planes)) < len(grid.planes):
            raise _doubled("it has two frames", path)
        maximum = int(tags.number("MaximumFractionalValue")) if kind == "FRACTIONAL" else 1
        one = _Seg(file, tags, form, kind, described, numbers, grid, maximum, True)
        one = _with_overlap(one)
        stored = max(file.size - file.pixels.start, _FREE)
        check_promise(path, one.shape(grid.slices), one.dtype, stored, CODEC_RATIO)
        return one


def _kind(tags: Tags, form: PixelForm) -> str:
    kind = tags.text("SegmentationType") or ""
    wide = form.allocated in ((8, 16) if kind != "BINARY" else (1, 8))
    if kind not in _KINDS or form.samples != 1 or form.kind != "u" or not wide:
        raise FormatError(
            f"a segmentation of type {kind or 'unknown'!r} in {form.allocated} bits "
            f"with {form.samples} samples",
            file=tags.path,
            expected=f"{', '.join(_KINDS)} (PS3.3 C.8.20.2)",
            remedy="the header is damaged; export the file again",
        )
    return kind


def _checked(
    numbers: tuple[int, ...], described: Sequence[Segment], grid: SegGrid, path: Path
) -> tuple[int, ...]:
    """The segment of each frame: a described one, once at each place."""
    if not any(numbers) and len(described) == 1:
        numbers = (described[0].number,) * len(numbers)
    unknown = set(numbers) - {one.number for one in described}
    if unknown:
        raise FormatError(
            f"frames of segment {min(unknown)}, which is not described",
            file=path,
            expected=f"one of {len(described)} described segments",
            remedy="the file is damaged; export the segmentation again",
        )
    places = list(zip(numbers, grid.planes, strict=True))
    if len(set(places)) < len(places):
        number = next(n for n, plane in places if places.count((n, plane)) > 1)
        raise _doubled(f"segment {number} has two frames", path)
    return numbers


def _doubled(what: str, path: Path) -> FormatError:
    return FormatError(
        f"{what} at one place",
        file=path,
        expected="one frame for each segment and place; times are not told apart",
        remedy="export one segmentation for each moment",
    )


def _with_overlap(one: _Seg) -> _Seg:
    """The same, once it is known whether two segments share a voxel.

    The file's word counts (SegmentsOverlap, PS3.3 C.8.20.2); where it gives none, its pixels.
    """
    if one.kind != "BINARY" or len(one.segments) == 1:
        return one
    said = one.tags.text("SegmentsOverlap")
    apart = said == "NO" or (said != "YES" and not _overlaps(one))
    return replace(one, apart=apart)


def _overlaps(one: _Seg) -> bool:
    at: dict[int, list[int]] = defaultdict(list)
    for number, plane in enumerate(one.grid.planes):
        at[plane].append(number)
    shared = [numbers for numbers in at.values() if len(numbers) > 1]
    seen = np.empty((one.form.rows, one.form.columns), np.uint8)
    for numbers in shared:
        seen[...] = 0
        for _, bits in _frames(one, numbers):
            if np.logical_and(seen, bits).any():
                return True
            seen |= bits
    return False


def header(source: Source) -> Header:
    """What a segmentation's header says; its pixels are looked at only where it leaves open
    whether segments overlap."""
    one = _opened(source.file)
    with refusing(source.file, "the header"):
        return _described(source, one)


def _described(source: Source, one: _Seg) -> Header:
    first, last = frame_range(source, one.grid.slices)
    count = len(one.segments)
    words = f"{coding(one.file, one.form)}, {one.kind}, {count} segment{'s' * (count > 1)}"
    return Header(
        format="dicom",
        shape=one.shape(last - first),
        dtype=one.dtype,
        geometry=shifted(one.grid.geometry, first),
        channels=one.channels,
        modality=one.tags.text("Modality"),
        identity=identity(one.tags),
        facts=facts(one.tags, None, words),
    )


def read(source: Source, like: Like | None) -> Image:
    """A segmentation on its own grid, or the planes of it that the source names."""
    one = _opened(source.file)
    path = source.file
    if like is not None and like.suv is not None:
        raise FormatError("SUV was asked for, and this is a segmentation", file=path)
    with refusing(path, "the pixels"):
        head = _described(source, one)
        first, last = frame_range(source, one.grid.slices)
        wanted = [i for i, plane in enumerate(one.grid.planes) if first <= plane < last]
        array = np.zeros(head.shape, head.dtype)
        if one.kind == "FRACTIONAL":
            _fill_fractions(one, wanted, first, array)
        elif one.kind == "LABELMAP":
            _fill_labels(one, wanted, first, array)
        else:
            _fill_bits(one, wanted, first, array)
        return Image(chosen(array, like, path), head.geometry, head.channels, _stored(one))


def _fill_bits(one: _Seg, wanted: list[int], first: int, out: NDArray[Any]) -> None:
    rank = {segment.number: c for c, segment in enumerate(one.segments)}
    filled: set[int] = set()
    for number, bits in _frames(one, wanted):
        plane, segment = one.grid.planes[number] - first, one.numbers[number]
        if not one.apart:
            out[rank[segment], plane] = bits
            continue
        target = out[0, plane]
        if plane in filled and np.logical_and(target, bits).any():
            raise FormatError(
                f"segment {segment} shares voxels with another one, and the header says that "
                "none do (SegmentsOverlap)",
                file=one.file.path,
                remedy="the header is wrong; export the segmentation again",
            )
        filled.add(plane)
        target |= bits * out.dtype.type(segment)


def _fill_fractions(one: _Seg, wanted: list[int], first: int, out: NDArray[Any]) -> None:
    rank = {segment.number: c for c, segment in enumerate(one.segments)}
    if not 0 < one.maximum <= one.form.bounds[1]:
        raise FormatError(
            f"MaximumFractionalValue is {one.maximum}",
            file=one.file.path,
            expected=f"1 to {one.form.bounds[1]}",
        )
    shares = (np.arange(one.maximum + 1) / one.maximum).astype(np.float32)
    for number, stored in _frames(one, wanted):
        if stored.max() > one.maximum:
            raise FormatError(
                f"a fraction of {stored.max()}",
                file=one.file.path,
                expected=f"at most MaximumFractionalValue, {one.maximum}",
            )
        out[rank[one.numbers[number]], one.grid.planes[number] - first] = shares[stored]


def _fill_labels(one: _Seg, wanted: list[int], first: int, out: NDArray[Any]) -> None:
    nothing = int(one.tags.number("PixelPaddingValue", 0))
    if nothing and any(item.number == nothing for item in one.segments):
        nothing = 0  # described, so it is a segment
    for number, labels in _frames(one, wanted):
        target = out[0, one.grid.planes[number] - first]
        target[...] = labels
        if nothing:
            target[labels == nothing] = 0


def _frames(one: _Seg, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Some stored frames (rows, columns), in the order of the file; of binary ones 0 and 1."""
    file, form = one.file, one.form
    plain = file.deflated is None and file.syntax in (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
    if form.allocated == 1 and plain:
        yield from _bits(file, form, sorted(numbers))
        return
    for start, stop in _runs(sorted(numbers)):
        found = stored_values(file, form, start, stop)[0]
        for number, frame in zip(range(start, stop), found, strict=True):
            if one.kind == "BINARY" and frame.max() > 1:
                raise FormatError(
                    f"a binary segmentation holds the value {frame.max()}",
                    file=file.path,
                    expected="0 and 1",
                )
            yield number, frame


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbours together, not too many at a time."""
    start = 0
    for i in range(1, len(numbers) + 1):
        if i == len(numbers) or numbers[i] != numbers[i - 1] + 1 or i - start == _RUN:
            yield numbers[start], numbers[i - 1] + 1
            start = i


def _bits(
    file: DicomFile, form: PixelForm, numbers: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frames of single bits, the least significant first, without padding between frames."""
    assert file.pixels is not None
    size = form.rows * form.columns
    with file.path.open("rb", buffering=0) as source:
        for number in numbers:
            low, ahead = divmod(number * size, 8)
            high = (number * size + size + 7) // 8
            source.seek(file.pixels.start + low)
            raw = np.frombuffer(source.read(high - low), np.uint8)
            if len(raw) < high - low:
                raise FormatError(
                    f"the pixels end inside frame {number}",
                    file=file.path,
                    remedy="copy the file again; it is truncated",
                )
            bits = np.unpackbits(raw, bitorder="little")[ahead : ahead + size]
            yield number, bits.reshape(form.rows, form.columns)


def _values(one: _Seg) -> str:
    if one.kind == "FRACTIONAL":
        return "fractions"
    return "labels" if one.apart else "masks"


def _stored(one: _Seg) -> dict[str, object]:
    """What the values are, for writers and for people."""
    return {
        "format": "dicom",
        "dtype": str(one.form.dtype),
        "bits": one.form.stored,
        "photometric": one.form.photometric,
        "slope": 1.0 / one.maximum if one.kind == "FRACTIONAL" else 1.0,
        "intercept": 0.0,
        "inverted": False,
        "syntax": one.file.syntax,
        "segmentation": one.kind,
        "values": _values(one),
        "fractional": one.tags.text("SegmentationFractionalType"),
        "segments": [asdict(segment) for segment in one.segments],
    }
