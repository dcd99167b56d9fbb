"""The stored values of a DICOM file's frames, before any rescaling.

PS3.5 chapter 8: bits allocated, stored and high bit; samples interleaved or in planes; native
pixels are read straight from the file, compressed ones frame by frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.contract import promised_bytes
from hounsfield.formats.dicom.codecs import CODECS, VIDEOS, Codec, decode_frame, decode_grey
from hounsfield.formats.dicom.elements import (
    UNDEFINED,
    Element,
)
from hounsfield.formats.dicom.file import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DicomFile,
)
from hounsfield.formats.dicom.fragments import frame_parts, joined
from hounsfield.formats.dicom.tags import PixelForm
from hounsfield.formats.dicom.values import rgb
from hounsfield.formats.guard import CODEC_RATIO, check_promise, refusing

_NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)


def check_pixels(file: DicomFile, form: PixelForm) -> None:
    """Refuse a header whose pixels the file cannot hold, before anything is allocated."""
    _, found = _pixel_bytes(file)
    compressed = file.syntax in VIDEOS or file.syntax in CODECS
    if compressed and _element(file).length == UNDEFINED:
        shape = (form.frames, form.samples, form.rows, form.columns)
        check_promise(file.path, shape, form.dtype, found, CODEC_RATIO)
        return
    if file.syntax not in (*_NATIVE, *CODECS) or file.syntax in VIDEOS:
        from pydicom.uid import UID

        raise FormatError(
            f"no decoder for the transfer syntax {UID(file.syntax).name}",
            file=file.path,
            expected=f"uncompressed or {', '.join(codec.name for codec in CODECS.values())}",
            remedy="export the file uncompressed or in one of these",
        )
    if form.allocated >= 8 and not _halved(file, form):
        shape = (form.frames, form.samples, form.rows, form.columns)
        check_promise(file.path, shape, form.dtype, found)
        return
    bits = form.rows * form.columns * form.frames * form.samples * form.allocated
    if _halved(file, form):
        bits = bits * 2 // 3
    check_promise(file.path, ((bits + 7) // 8,), np.dtype(np.uint8), found)


def stored_values(file: DicomFile, form: PixelForm, first: int, last: int) -> NDArray[Any]:
    """Frames first ≤ f < last as stored, (samples, frames, rows, columns), in native byte order.

    Colours come out as RGB, but for those of a palette.

    Raises:
        FormatError: truncated, damaged, or a frame that is not what the header says.
    """
    check_pixels(file, form)
    if is_compressed(file):
        return _compressed(file, form, first, last)
    if file.syntax in VIDEOS:
        return _video(file, form, first, last)
    native = _native(file, form, first, last)
    native = _significant(native, form, form.high) if form.kind != "f" else native
    return rgb(native, form.photometric, file.path) if form.samples == 3 else native


def _element(file: DicomFile) -> Element:
    assert file.pixels is not None
    return file.pixels


def _pixel_bytes(file: DicomFile) -> tuple[int, int]:
    """Where the pixels start and how many bytes of them there are."""
    element = _element(file)
    there = max(0, file.size - element.start)
    return element.start, there if element.length == UNDEFINED else min(there, element.length)


def _halved(file: DicomFile, form: PixelForm) -> bool:
    """Native YBR 4:2:2: two pixels share one Cb and one Cr (PS3.3 C.7.6.3.1.2).

    Some writers decompress and leave the name: three whole samples a pixel show it.
    """
    if form.photometric != "YBR_FULL_422" or form.samples != 3 or form.allocated != 8:
        return False
    length = _element(file).length
    return length == UNDEFINED or length < form.frames * form.rows * form.columns * 3


def _bytes(file: DicomFile, start: int, count: int) -> NDArray[np.uint8]:
    """Bytes of the data set, read into one new buffer."""
    if file.deflated is not None:
        return np.frombuffer(file.inflated(start + count), np.uint8, count, start)
    buffer = np.empty(count, np.uint8)
    read_into(memoryview(buffer.data), file, start)
    return buffer


def read_into(view: memoryview, file: DicomFile, start: int) -> None:
    """Fill a view with the file's bytes from `start` on.

    Raises:
        FormatError: the file ends before.
    """
    with file.path.open("rb", buffering=0) as source:
        source.seek(start)
        at = 0
        while at < len(view) and (got := source.readinto(view[at:])):
            at += got
    if at < len(view):
        raise FormatError(
            f"the pixels end after {at:,} of {len(view):,} bytes",
            file=file.path,
            remedy="copy the file again; it is truncated",
        )


def _native(file: DicomFile, form: PixelForm, first: int, last: int) -> NDArray[Any]:
    start, _ = _pixel_bytes(file)
    count = last - first
    per_frame = form.rows * form.columns * form.samples
    if form.allocated == 1:
        return _bits(file, form, first, last)
    if _halved(file, form):
        size = per_frame * 2 // 3
        raw = _bytes(file, start + first * size, count * size)
        return _upsampled(raw.reshape(count, -1, 4), form)
    size = promised_bytes((per_frame,), form.dtype)
    raw = _swapped_words(file, form, start + first * size, count * size)
    order = ">" if file.syntax == EXPLICIT_BIG else "<"
    unsigned = raw.view(f"{order}{'f' if form.kind == 'f' else 'u'}{form.dtype.itemsize}")
    values = unsigned.astype(unsigned.dtype.newbyteorder("="), copy=False)
    if form.samples == 1:
        return values.reshape(1, count, form.rows, form.columns)
    if form.planar:
        return values.reshape(count, form.samples, form.rows, form.columns).swapaxes(0, 1)
    return np.moveaxis(values.reshape(count, form.rows, form.columns, form.samples), 3, 0)


def _swapped_words(file: DicomFile, form: PixelForm, start: int, count: int) -> NDArray[np.uint8]:
    """Bytes in their order; big-endian files may hold 8-bit samples in swapped 16-bit words."""
    words = file.syntax == EXPLICIT_BIG and form.allocated == 8 and _element(file).vr == "OW"
    if not words:
        return _bytes(file, start, count)
    origin = _element(file).start
    low = start - (start - origin) % 2
    high = min(start + count + (start + count - origin) % 2, file.size)
    raw = _bytes(file, low, high - low)
    raw = np.concatenate([raw, np.zeros(len(raw) % 2, np.uint8)])
    return raw.reshape(-1, 2)[:, ::-1].reshape(-1)[start - low : start - low + count]


def _bits(file: DicomFile, form: PixelForm, first: int, last: int) -> NDArray[np.uint8]:
    """Single bits, the least significant first, frames without padding between them."""
    start, found = _pixel_bytes(file)
    per_frame = form.rows * form.columns
    needed = (form.frames * per_frame + 7) // 8
    raw = _bytes(file, start, min(found, needed + needed % 2))
    if file.syntax == EXPLICIT_BIG and _element(file).vr == "OW":
        raw = raw[: len(raw) & ~1].reshape(-1, 2)[:, ::-1].reshape(-1)
    bits = np.unpackbits(raw, bitorder="little")[first * per_frame : last * per_frame]
    return bits.reshape(1, last - first, form.rows, form.columns)


def _upsampled(pairs: NDArray[np.uint8], form: PixelForm) -> NDArray[np.uint8]:
    """(frames, pairs, Y1 Y2 Cb Cr) -> (3, frames, rows, columns), chroma repeated."""
    frames, count, _ = pairs.shape
    full = np.empty((3, frames, count, 2), np.uint8)
    full[0] = pairs[:, :, :2]
    full[1] = pairs[:, :, 2:3]
    full[2] = pairs[:, :, 3:4]
    return full.reshape(3, frames, form.rows, form.columns)


def _compressed(file: DicomFile, form: PixelForm, first: int, last: int) -> NDArray[Any]:
    """Frames decoded one by one into the result."""
    codec = CODECS[file.syntax]
    out = np.empty(
        (form.samples, last - first, form.rows, form.columns), f"u{max(form.allocated, 8) // 8}"
    )
    with refusing(file.path, f"{codec.name} pixels"):
        changed = file.path.stat().st_mtime_ns
        parts = frame_parts(file.path, changed, _element(file).start, form.frames)
        for index, frame in enumerate(parts[first:last]):
            _put(out[:, index], codec, joined(file.path, frame), form, file)
    return _significant(out, form, form.stored - 1)


def decode_into(file: DicomFile, form: PixelForm, number: int, out: NDArray[np.uint16]) -> None:
    """One compressed grey frame of 16 bits as stored, into `out` (rows, columns).

    Raises:
        FormatError: damaged, or not what the header says.
    """
    codec = CODECS[file.syntax]
    with refusing(file.path, f"{codec.name} pixels"):
        changed = file.path.stat().st_mtime_ns
        parts = frame_parts(file.path, changed, _element(file).start, form.frames)
        try:
            decode_grey(codec, joined(file.path, parts[number]), form, out)
        except FormatError as error:
            raise error.of(file.path) from error


def is_compressed(file: DicomFile) -> bool:
    """Are the frames compressed one by one?"""
    return file.syntax in CODECS and _element(file).length == UNDEFINED


def _video(file: DicomFile, form: PixelForm, first: int, last: int) -> NDArray[Any]:
    """Frames of a video that lies in the file as one stream (PS3.5 8.2.5 to 8.2.8)."""
    from io import BytesIO

    from hounsfield.formats.video import frames_of

    changed = file.path.stat().st_mtime_ns
    (parts,) = frame_parts(file.path, changed, _element(file).start, 1)
    frames = frames_of(BytesIO(joined(file.path, parts)), first, last)
    if frames.shape[2:] != (form.rows, form.columns):
        raise FormatError(
            f"the video's frames are {frames.shape[2]}×{frames.shape[3]}",
            file=file.path,
            expected=f"{form.rows}×{form.columns}, as the header says",
        )
    return frames


def _put(
    target: NDArray[Any], codec: Codec, frame: bytes, form: PixelForm, file: DicomFile
) -> None:
    try:
        decoded = decode_frame(codec, frame, form)
    except FormatError as error:
        raise error.of(file.path) from error
    # A codec may give fewer or more bits than are allocated; the low bits are what counts.
    np.copyto(target, decoded, casting="unsafe")


def _significant(values: NDArray[Any], form: PixelForm, high: int) -> NDArray[Any]:
    """The stored bits alone, sign-extended; the unused bits may hold overlays or garbage."""
    if form.allocated == 1:
        return values
    wanted = values.view(form.dtype)
    above = form.allocated - 1 - high
    below = form.allocated - form.stored
    if above == 0 and below == 0:
        return wanted
    wanted = np.left_shift(wanted, above) if above else wanted
    return np.right_shift(wanted, below)
