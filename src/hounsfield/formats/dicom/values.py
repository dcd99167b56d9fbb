"""From stored values to physical ones: rescaling, inversion, colours, windows.

PS3.3 C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.2 (photometric interpretation).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import checked_window, windowed
from hounsfield.formats.contract import Like
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.tags import PixelForm, Tags

_UNITS = {"HU": "HU", "BQML": "Bq/ml", "GY": "Gy"}
_MEASURES = frozenset(_UNITS.values())


@dataclass(frozen=True, eq=False)
class Lut:
    """A look-up table of a DICOM sequence (PS3.3 C.11.1.1.1)."""

    table: NDArray[np.uint16]
    first: int
    bits: int

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        index = np.clip(values.astype(np.int64) - self.first, 0, len(self.table) - 1)
        return np.asarray(self.table[index])


@dataclass(frozen=True, eq=False)
class Scale:
    """Stored value -> physical value: a line, or a table; and whether the polarity is turned."""

    slope: float = 1.0
    intercept: float = 0.0
    unit: str | None = None
    lut: Lut | None = None
    inverted: bool = False

    @property
    def integral(self) -> bool:
        return self.slope.is_integer() and self.intercept.is_integer()


def scale_of(tags: Tags, form: PixelForm) -> Scale:
    """How stored values become physical ones.

    MONOCHROME1 is turned, so that higher is brighter, unless the values measure something: HU
    are HU however they are meant to be shown. Turned values keep no unit.
    """
    if form.colour:
        return Scale()
    unit = _unit(tags)
    inverted = form.photometric == "MONOCHROME1" and form.kind != "f" and unit not in _MEASURES
    unit = None if inverted else unit
    modality_luts = tags.items("ModalityLUTSequence")
    if modality_luts:
        return Scale(unit=unit, lut=_lut(modality_luts[0], form, tags.path), inverted=inverted)
    slope, intercept = _line(tags)
    return Scale(slope, intercept, unit, None, inverted)


def _line(tags: Tags) -> tuple[float, float]:
    slope = tags.number("RescaleSlope", 1.0)
    intercept = tags.number("RescaleIntercept", 0.0)
    if "DoseGridScaling" in tags:
        return tags.number("DoseGridScaling"), 0.0
    lines = _frame_lines(tags)
    slope, intercept = lines[0] if lines else (slope, intercept)
    if slope == 0:
        raise FormatError("RescaleSlope is 0", file=tags.path, remedy="correct the header")
    return slope, intercept


def check_one_line(tags: Tags) -> None:
    """Refuse frames without a place whose rescaling differs: they are no one picture."""
    lines = set(_frame_lines(tags))
    if len(lines) > 1:
        raise FormatError(
            f"the frames have {len(lines)} different rescale slopes and intercepts",
            file=tags.path,
            expected="one for all, or a position of each frame",
            remedy="convert the file to classic DICOM, one slice a file",
        )


def _frame_lines(tags: Tags) -> list[tuple[float, float]]:
    """The rescalings in an enhanced file's functional groups (PS3.3 C.7.6.16.2.9)."""
    lines = []
    for item in _transforms(tags):
        slope = item.numbers(0x00281053, "DS") or [1.0]
        intercept = item.numbers(0x00281052, "DS") or [0.0]
        lines.append((slope[0], intercept[0]))
    return lines


def _transforms(tags: Tags) -> Iterator[Elements]:
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in tags.items(name):
            yield from group.items(0x00289145)


def _unit(tags: Tags) -> str | None:
    """The unit of the rescaled values, where the standard defines one."""
    of_frames = next((item.text(0x00281054) for item in _transforms(tags)), None)
    named = of_frames or tags.text("RescaleType") or tags.text("Units") or tags.text("DoseUnits")
    if named in ("US", "UNSPECIFIED", "CNTS", "RELATIVE", "NONE"):
        return None
    if named is None:
        # PS3.3 C.8.2.1.1.2: rescaled CT values are HU unless another type is named
        return "HU" if tags.text("Modality") == "CT" and "RescaleSlope" in tags else None
    return _UNITS.get(named, named)


def _lut(item: Elements, form: PixelForm, path: Path) -> Lut:
    descriptor = item.numbers(0x00283002, "US")
    if len(descriptor) != 3:
        raise FormatError("a look-up table without descriptor", file=path)
    count, first, bits = (int(value) for value in descriptor)
    if form.signed and first > 0x7FFF:
        first -= 0x10000  # the descriptor has the sign of the pixels
    raw = item.raw(0x00283006) if 0x00283006 in item else b""
    length = count or 0x10000
    wide = len(raw) >= 2 * length
    table = np.frombuffer(raw, f"{item.coding.order}u{2 if wide else 1}").astype(np.uint16)
    if len(table) < length or not 1 <= bits <= 16:
        raise FormatError(
            f"a look-up table of {len(raw):,} bytes",
            file=path,
            expected=f"{length:,} entries, as its descriptor says",
        )
    table = table[:length]
    return Lut(table, first, max(bits, int(table.max()).bit_length()))  # some say too few bits


def value_dtype(form: PixelForm, scale: Scale) -> np.dtype[np.generic]:
    """The smallest type that holds every value the header allows; int16 for whole HU.

    A CT file of 16 bits could promise HU beyond int16; no body has them, so `physical` checks
    the values themselves there and takes float32 only where they do not fit.
    """
    if form.kind == "f":
        return form.dtype
    if form.photometric == "PALETTE COLOR":
        return np.dtype(np.uint8)
    if scale.lut is not None:
        return np.dtype(np.uint8 if scale.lut.bits <= 8 else np.uint16)
    if not scale.integral:
        return np.dtype(np.float32)
    if scale.unit == "HU" and form.allocated <= 16:
        return np.dtype(np.int16)
    ends = [end * scale.slope + scale.intercept for end in form.bounds]
    for name in ("uint8", "int16", "uint16"):
        limits = np.iinfo(name)
        if limits.min <= min(ends) and max(ends) <= limits.max:
            return np.dtype(name)
    identity = scale.slope == 1 and scale.intercept == 0
    return form.dtype if identity and form.stored > 24 else np.dtype(np.float32)


def turned(stored: NDArray[Any], form: PixelForm) -> NDArray[Any]:
    """MONOCHROME1 as MONOCHROME2: mirrored within the range of the bits stored."""
    total = np.array(sum(form.bounds)).astype(stored.dtype)
    return np.asarray(total - stored)


def physical(stored: NDArray[Any], scale: Scale, dtype: np.dtype[np.generic]) -> NDArray[Any]:
    """The physical values, as `dtype` unless whole numbers turn out not to fit it."""
    if scale.lut is not None:
        return scale.lut(stored).astype(dtype, copy=False)
    if dtype.kind in "iu":
        ends = [int(end) * scale.slope + scale.intercept for end in (stored.min(), stored.max())]
        limits = np.iinfo(dtype.name)
        if limits.min <= min(ends) and max(ends) <= limits.max:
            # Arithmetic wraps on the way and is exact in the end, since the ends fit.
            slope, intercept = (
                np.array(int(n)).astype(dtype) for n in (scale.slope, scale.intercept)
            )
            values = stored.astype(dtype, copy=False)
            values = values if slope == 1 else values * slope
            return values if intercept == 0 else values + intercept
        dtype = np.dtype(np.float32)
    if scale.slope == 1 and scale.intercept == 0:
        return stored.astype(dtype, copy=False)
    values = stored.astype(np.float64)
    values *= scale.slope
    values += scale.intercept
    return values.astype(dtype)


def rgb(stored: NDArray[Any], photometric: str, path: Path | None = None) -> NDArray[Any]:
    """(3, …, rows, columns) in RGB or YBR_FULL -> RGB.

    PS3.3 C.7.6.3.1.2, the equations of ITU-R BT.601 at full range.
    """
    if photometric == "RGB":
        return stored
    if photometric not in ("YBR_FULL", "YBR_FULL_422") or stored.dtype != np.uint8:
        raise FormatError(
            f"{stored.dtype} colours of the kind {photometric}",
            file=path,
            expected="RGB, PALETTE COLOR, or YBR_FULL or YBR_FULL_422 of 8 bits",
            remedy="export the file as RGB",
        )
    y, cb, cr = (plane.astype(np.float32) for plane in stored)
    cb -= 128
    cr -= 128
    out = np.empty(stored.shape, np.uint8)
    mixed = (y + 1.402 * cr, y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587, y + 1.772 * cb)
    for plane, values in zip(out, mixed, strict=True):
        plane[...] = np.clip(np.rint(values), 0, 255)
    return out


def palette_rgb(stored: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """(1, frames, rows, columns) of palette indices -> RGB of 8 bits (PS3.3 C.7.9)."""
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut

    from hounsfield.formats.guard import refusing

    with refusing(path, "the colour palette"):
        # Only the look-up tables are needed; pydicom expands the segmented ones.
        dataset = dcmread(path, force=True, stop_before_pixels=True)
        bits = int(dataset[0x00281101].value[2])
        colours = apply_color_lut(stored[0], dataset)
    if bits > 8:
        colours = colours >> (bits - 8)
    return np.ascontiguousarray(np.moveaxis(colours.astype(np.uint8), -1, 0))


def viewed(
    stored: NDArray[Any], form: PixelForm, scale: Scale, tags: Tags, like: Like | None
) -> NDArray[Any]:
    """Grey values as `like` wants them: physical, through the file's own VOI, or a window."""
    dtype = value_dtype(form, scale)
    if like is not None and like.voi:
        values: NDArray[Any] = own_voi(physical(stored, scale, dtype), tags, form)
        values = 1 - values if scale.inverted else values
    else:
        # PS3.3 C.7.6.3.1.2: the polarity is of what is shown, so a look-up table comes first.
        turn = scale.inverted and scale.lut is None
        values = physical(turned(stored, form) if turn else stored, scale, dtype)
        if scale.inverted and scale.lut is not None:
            values = np.array((1 << scale.lut.bits) - 1).astype(dtype) - values
        if like is not None and like.window is not None:
            values = windowed(values, *checked_window(like.window, tags.path))
    return values if like is None or like.dtype is None else values.astype(like.dtype, copy=False)


def own_window(tags: Tags, form: PixelForm, scale: Scale) -> tuple[float, float] | None:
    """The file's first window in our values (turned where they are), or None."""
    centre, width = tags.soft_number("WindowCenter"), tags.soft_number("WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    if scale.inverted and scale.lut is not None:
        centre = (1 << scale.lut.bits) - 1 - centre
    elif scale.inverted:
        centre = scale.slope * sum(form.bounds) + 2 * scale.intercept - centre
    return centre, width


def own_voi(values: NDArray[Any], tags: Tags, form: PixelForm) -> NDArray[np.float32]:
    """The file's VOI LUT, or its first window, as [0, 1] (PS3.3 C.11.2)."""
    luts = tags.items("VOILUTSequence")
    if luts:
        lut = _lut(luts[0], form, tags.path)
        return lut(values).astype(np.float32) / np.float32((1 << lut.bits) - 1)
    centre, width = tags.soft_number("WindowCenter"), tags.soft_number("WindowWidth")
    if centre is None or width is None:
        raise FormatError(
            "this file has no VOI LUT and no window",
            file=tags.path,
            remedy="give a window: centre and width",
        )
    checked_window((centre, width), tags.path)
    function = tags.text("VOILUTFunction") or "LINEAR"
    x = values.astype(np.float32)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (x - np.float32(centre)) / np.float32(width))))
    if function == "LINEAR_EXACT":
        return windowed(x, centre, width)
    if width < 1:
        checked_window((centre, width - 1), tags.path)
    # LINEAR: as LINEAR_EXACT of centre - 0.5 and width - 1; a width of 1 is a threshold
    if width == 1:
        return (x > centre - 0.5).astype(np.float32)
    return windowed(x, centre - 0.5, width - 1)
