"""Decoding one compressed frame: transfer syntax -> decoder (PS3.5 annex A)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.codestream import jpeg2000_size, jpeg2000_transforms, jpeg_size, says_rgb
from hounsfield.formats.dicom.file import DicomFile
from hounsfield.formats.dicom.tags import PixelForm
from hounsfield.formats.dicom.values import rgb


@dataclass(frozen=True)
class Codec:
    """A name for people, and what turns bytes into (rows, columns[, 3]).

    One that does not convert knows no colours: it gives those that the header names.
    """

    name: str
    decode: Callable[[bytes, PixelForm, NDArray[Any] | None], NDArray[Any]]
    converts: bool = True


def decode_grey(codec: Codec, frame: bytes, form: PixelForm, out: NDArray[np.uint16]) -> None:
    """One grey frame of 16 bits into `out` (rows, columns), without another copy where it can.

    Raises:
        FormatError: the frame is not what the header says.
    """
    array = codec.decode(frame, form, out)
    if array is out or np.shares_memory(array, out):
        return
    if array.shape not in (out.shape, (1, *out.shape)):
        raise FormatError(
            f"a frame decodes to {array.shape}", expected=f"{out.shape}, as the header says"
        )
    np.copyto(out, array.reshape(out.shape), casting="unsafe")


def decode_frame(codec: Codec, frame: bytes, form: PixelForm) -> NDArray[Any]:
    """One frame's stored values (samples, rows, columns); colours are RGB."""
    array = codec.decode(frame, form, None)
    plane = (form.rows, form.columns)
    if array.shape == plane and form.samples == 1:
        return array[None]
    if array.shape == (*plane, form.samples):
        array = np.moveaxis(array, 2, 0)
    if array.shape != (form.samples, *plane):
        raise FormatError(
            f"a frame decodes to {array.shape}",
            expected=f"{form.rows}×{form.columns} with {form.samples} samples, as the header says",
        )
    return array if codec.converts or form.samples == 1 else rgb(array, form.photometric)


Size = tuple[int, int, int, int]  # rows, columns, components, bits


def _agree(size: Size, form: PixelForm) -> Size:
    """A stream's own size, refused where it is not the header's, before it is decoded."""
    if size[:3] != (form.rows, form.columns, form.samples):
        raise FormatError(
            f"the compressed frame is {size[0]}×{size[1]} with {size[2]} samples",
            expected=f"{form.rows}×{form.columns} with {form.samples}, as the header says",
            remedy="the header or the frame is damaged; export the file again",
        )
    return size


def _wide(out: NDArray[Any] | None, size: Size) -> NDArray[Any] | None:
    """The place to decode into, where the stream has as many bytes a value."""
    return out if out is not None and 8 < size[3] <= 16 else None


def _jpeg(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """JPEG of 8 to 16 bits, lossy or lossless (processes 1, 2, 4, 14)."""
    import imagecodecs

    size = _agree(jpeg_size(frame), form)
    if form.samples == 1:
        return np.asarray(imagecodecs.jpeg8_decode(frame, out=_wide(out, size)))
    is_rgb = says_rgb(frame, otherwise=form.photometric == "RGB")
    colours = "RGB" if is_rgb else "YCBCR"
    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace=colours, outcolorspace="RGB"))


def _jpeg_lossless(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """JPEG process 14; its colours are stored as they are, no transform is allowed."""
    import imagecodecs

    size = _agree(jpeg_size(frame), form)
    if form.samples == 1:
        return np.asarray(imagecodecs.jpeg8_decode(frame, out=_wide(out, size)))
    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB"))


def _jpeg_ls(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    import imagecodecs

    size = _agree(jpeg_size(frame), form)
    return np.asarray(imagecodecs.jpegls_decode(frame, out=_wide(out, size)))


def _jpeg_2000(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """JPEG 2000; the codec undoes the colour transforms RCT and ICT itself, where they are used."""
    import imagecodecs

    size = _agree(jpeg2000_size(frame), form)
    array = np.asarray(imagecodecs.jpeg2k_decode(frame, out=_wide(out, size)))
    if form.photometric.startswith("YBR_FULL") and not jpeg2000_transforms(frame):
        return np.moveaxis(rgb(np.moveaxis(array, 2, 0), form.photometric), 0, 2)
    return array


def _jpeg_xl(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """JPEG XL; a stream's own size is checked once it is decoded, as the codec bounds it."""
    import imagecodecs

    return np.asarray(imagecodecs.jpegxl_decode(frame))


def _rle(frame: bytes, form: PixelForm, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """PackBits segments, one a byte plane (PS3.5 annex G); samples lie one after the other."""
    import imagecodecs

    if form.allocated < 8:
        raise FormatError("RLE of single bits", expected="8, 16 or 32 bits allocated")
    dtype = np.dtype(f"<u{form.allocated // 8}")
    decoded = np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
    shape = (form.samples, form.rows, form.columns)
    if decoded.size != np.prod(shape):
        raise FormatError(
            f"an RLE frame decodes to {decoded.nbytes:,} bytes",
            expected=f"{int(np.prod(shape)) * dtype.itemsize:,} as the header says",
            remedy="copy the file again",
        )
    return decoded.reshape(shape)


CODECS = {
    "1.2.840.10008.1.2.4.50": Codec("JPEG baseline", _jpeg),
    "1.2.840.10008.1.2.4.51": Codec("JPEG extended", _jpeg),
    "1.2.840.10008.1.2.4.57": Codec("JPEG lossless", _jpeg_lossless, converts=False),
    "1.2.840.10008.1.2.4.70": Codec("JPEG lossless SV1", _jpeg_lossless, converts=False),
    "1.2.840.10008.1.2.4.80": Codec("JPEG-LS", _jpeg_ls, converts=False),
    "1.2.840.10008.1.2.4.81": Codec("JPEG-LS near-lossless", _jpeg_ls, converts=False),
    "1.2.840.10008.1.2.4.90": Codec("JPEG 2000 lossless", _jpeg_2000),
    "1.2.840.10008.1.2.4.91": Codec("JPEG 2000", _jpeg_2000),
    "1.2.840.10008.1.2.4.110": Codec("JPEG XL lossless", _jpeg_xl),
    "1.2.840.10008.1.2.4.111": Codec("JPEG XL of a JPEG", _jpeg_xl),
    "1.2.840.10008.1.2.4.112": Codec("JPEG XL", _jpeg_xl),
    "1.2.840.10008.1.2.4.201": Codec("HTJ2K lossless", _jpeg_2000),
    "1.2.840.10008.1.2.4.202": Codec("HTJ2K lossless RPCL", _jpeg_2000),
    "1.2.840.10008.1.2.4.203": Codec("HTJ2K", _jpeg_2000),
    "1.2.840.10008.1.2.5": Codec("RLE", _rle, converts=False),
}


# The whole of these is one video stream, not frame by frame
VIDEOS = {
    "1.2.840.10008.1.2.4.100": "MPEG-2 main profile",
    "1.2.840.10008.1.2.4.100.1": "MPEG-2 main profile, fragmented",
    "1.2.840.10008.1.2.4.101": "MPEG-2 high level",
    "1.2.840.10008.1.2.4.101.1": "MPEG-2 high level, fragmented",
    "1.2.840.10008.1.2.4.102": "MPEG-4 4.1",
    "1.2.840.10008.1.2.4.102.1": "MPEG-4 4.1, fragmented",
    "1.2.840.10008.1.2.4.103": "MPEG-4 4.1 for Blu-ray",
    "1.2.840.10008.1.2.4.103.1": "MPEG-4 4.1 for Blu-ray, fragmented",
    "1.2.840.10008.1.2.4.104": "MPEG-4 4.2, 2-D",
    "1.2.840.10008.1.2.4.104.1": "MPEG-4 4.2, 2-D, fragmented",
    "1.2.840.10008.1.2.4.105": "MPEG-4 4.2, 3-D",
    "1.2.840.10008.1.2.4.105.1": "MPEG-4 4.2, 3-D, fragmented",
    "1.2.840.10008.1.2.4.106": "MPEG-4 stereo",
    "1.2.840.10008.1.2.4.106.1": "MPEG-4 stereo, fragmented",
    "1.2.840.10008.1.2.4.107": "HEVC main profile",
    "1.2.840.10008.1.2.4.108": "HEVC main 10 profile",
}


def coding(file: DicomFile, form: PixelForm) -> str:
    """The stored type and coding in words."""
    codec = CODECS.get(file.syntax)
    if file.syntax in VIDEOS:
        return f"video: {VIDEOS[file.syntax]}"
    bits = f"{form.stored} bits in {form.dtype}, {form.photometric}"
    return f"{bits}, {codec.name}" if codec else bits
