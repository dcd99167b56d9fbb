"""From a decoded frame to RGB: the stream's own matrix and range, its fields, its orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from struct import unpack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.video.file import library

# ITU-T H.273 table 4, matrix coefficients -> name and libswscale's number of the matrix
MATRICES = {
    1: ("BT.709", 1),
    4: ("FCC", 4),
    5: ("BT.601", 5),
    6: ("BT.601", 5),
    7: ("SMPTE 240M", 7),
    9: ("BT.2020", 9),
}
UNSAID, FULL, LIMITED = 2, 2, 1  # libav's numbers
# Bilinear chroma, at every pixel, accurately rounded (libswscale/swscale.h). Without the last it is
# eight times faster, and a third of a grey level too dark.
SCALING = 0x2 | 0x2000 | 0x40000
HD_ROWS, HD_COLUMNS = 576, 1024  # above either, an unnamed matrix is BT.709


@dataclass(frozen=True)
class Look:
    """How a video's frames become RGB; told by the stream, or assumed and said so."""

    coded: tuple[int, int]  # rows, columns as decoded
    pixels: str  # libav's name of the pixel format, e.g. "yuv420p"
    bits: int
    matrix: int | None  # libswscale's number; None for RGB and grey
    matrix_name: str
    full: bool
    turned: tuple[int, int, int, int] | None  # x' = a x + c y, y' = b x + d y; None where upright
    aspect: Fraction | None  # of a pixel, where it is not square
    told: tuple[str, ...]  # what a reader should know

    @property
    def size(self) -> tuple[int, int]:
        """Rows, columns as shown."""
        rows, columns = self.coded
        return (columns, rows) if self.turned and self.turned[0] == 0 else (rows, columns)


def look_of(frame: Any, aspect: Fraction | None, file: Path) -> Look:
    """What the first frame says of all.

    Raises:
        FormatError: colours in a matrix that is not known here.
    """
    form, told = frame.format, []
    bits = max(component.bits for component in form.components)
    colours = sum(not component.is_alpha for component in form.components)
    matrix, name, full = None, "RGB" if form.is_rgb else "grey", True
    if not form.is_rgb and colours > 1:
        matrix, name, said = _matrix(int(frame.colorspace), frame.height, frame.width, file)
        full = int(frame.color_range) == FULL or form.name.startswith("yuvj")
        told += [] if said else [f"{name} is assumed from the size"]
    elif not form.is_rgb:
        full = int(frame.color_range) != LIMITED
    turned, skew = _orientation(frame)
    if skew:
        told.append("an orientation that is no quarter turn is left out")
    if bits > 8:
        told.append(f"{bits} bits are rounded to 8")
    if any(component.is_alpha for component in form.components):
        told.append("transparency is left out")
    odd = Fraction(aspect) if aspect and Fraction(aspect) > 0 and Fraction(aspect) != 1 else None
    if odd:
        told.append(f"pixels are {odd.numerator}:{odd.denominator}, width to height")
    size = (frame.height, frame.width)
    return Look(size, form.name, bits, matrix, name, full, turned, odd, tuple(told))


def rgb(frame: Any, look: Look, file: Path) -> NDArray[np.uint8]:
    """A frame as it is shown, (3, rows, columns).

    Raises:
        FormatError: its size or pixel format is not that of the first frame.
    """
    if (frame.height, frame.width) != look.coded or frame.format.name != look.pixels:
        raise FormatError(
            f"a frame of {frame.width}×{frame.height}, {frame.format.name}",
            file=file,
            expected=f"{look.coded[1]}×{look.coded[0]}, {look.pixels}, as the first one",
            remedy="cut the video where its size changes",
        )
    options: dict[str, Any] = {"format": "gbrp", "interpolation": SCALING}
    if look.matrix is not None:
        options |= {"src_colorspace": look.matrix, "dst_colorspace": look.matrix}
    if not frame.format.is_rgb:
        options |= {"src_color_range": FULL if look.full else LIMITED, "dst_color_range": FULL}
    green, blue, red = (_plane(plane, look.coded) for plane in frame.reformat(**options).planes)
    return np.ascontiguousarray(upright(np.stack([red, green, blue]), look.turned))


def thumbnail(frame: Any, side: int = 64) -> NDArray[np.float32]:
    """The grey values of a frame, averaged over side × side fields, as stored."""
    small = frame.reformat(side, side, "gray", interpolation=0x20 | 0x80000)  # area
    return _plane(small.planes[0], (side, side)).astype(np.float32)


def upright(
    planes: NDArray[np.uint8], turned: tuple[int, int, int, int] | None
) -> NDArray[np.uint8]:
    """Planes (…, rows, columns) as the display matrix turns them (ISO/IEC 14496-12 8.3.2)."""
    if turned is None:
        return planes
    a, b, c, d = turned
    if a == 0:  # x' = c y, y' = b x
        planes, a, d = planes.swapaxes(-1, -2), c, b
    planes = planes[..., ::-1] if a < 0 else planes
    return planes[..., ::-1, :] if d < 0 else planes


def without_fields(window: Sequence[Any], middle: int, every: bool) -> Any:
    """One of up to three neighbouring frames without interlacing, by bwdif, in its own size.

    The second field's lines are made anew from the fields before and after. `every`: also
    where the frame does not say that it is interlaced.
    """
    frame = window[middle]
    if not (every or frame.interlaced_frame):
        return frame
    av = library()
    graph = av.filter.Graph()
    inlet = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    filtering = graph.add("bwdif", mode="send_frame", deint="all" if every else "interlaced")
    graph.link_nodes(inlet, filtering, graph.add("buffersink")).configure()
    stamps = [one.pts for one in window]
    try:
        for place, one in enumerate(window):
            one.pts = place
            graph.vpush(one)
        graph.vpush(None)
        while True:
            made = graph.vpull()
            if made.pts in (middle, 2 * middle):  # its clock may tick twice a frame
                return made
    finally:
        for one, stamp in zip(window, stamps, strict=True):
            one.pts = stamp


def _matrix(code: int, rows: int, columns: int, file: Path) -> tuple[int, str, bool]:
    said = code in MATRICES
    if not said and code not in (0, UNSAID, 3):
        raise FormatError(
            f"colours in the matrix {code} of ITU-T H.273",
            file=file,
            expected=f"one of {', '.join(sorted({name for name, _ in MATRICES.values()}))}",
            remedy="convert the video with its recorder's software",
        )
    name, number = MATRICES[code if said else 1 if rows > HD_ROWS or columns > HD_COLUMNS else 6]
    return number, name, said


def _orientation(frame: Any) -> tuple[tuple[int, int, int, int] | None, bool]:
    """The quarter turn or mirroring that the display matrix asks for, and whether it is neither."""
    held = next((one for one in frame.side_data if "DISPLAYMATRIX" in str(one.type)), None)
    if held is None:
        return None, False
    a, b, _, c, d, *_ = (value / 65536 for value in unpack("=9i", bytes(held)[:36]))
    turn = (round(a), round(b), round(c), round(d))
    near = all(abs(value - whole) < 1e-3 for value, whole in zip((a, b, c, d), turn, strict=True))
    if not near or sorted(map(abs, turn)) != [0, 0, 1, 1] or abs(turn[0]) != abs(turn[3]):
        return None, True
    return (None if turn == (1, 0, 0, 1) else turn), False


def _plane(plane: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    rows, columns = size
    whole: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return whole[:rows, :columns]
