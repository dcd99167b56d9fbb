"""The text beside an ENVI cube: size, storage, wavelengths.

Fields as in "ENVI Header Files" (NV5 Geospatial, documentation of ENVI): `name = value` lines,
lists in braces over any number of lines, lines of comment beginning with a semicolon. Names are
read whatever their case and spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hounsfield.errors import FormatError
from hounsfield.geometry import Plane

_MOST_BYTES = 1 << 25
_MOST_BANDS = 100_000
_TYPES = {
    1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 6: "c8", 9: "c16",
    12: "u2", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
# unit -> nm; a wavenumber or frequency is turned round
_LENGTHS = {
    "nanometers": 1.0, "nanometer": 1.0, "nanometres": 1.0, "nm": 1.0,
    "micrometers": 1e3, "micrometer": 1e3, "micrometres": 1e3, "microns": 1e3, "micron": 1e3,
    "um": 1e3, "µm": 1e3, "μm": 1e3,
    "millimeters": 1e6, "mm": 1e6, "centimeters": 1e7, "cm": 1e7, "meters": 1e9, "m": 1e9,
    "angstroms": 0.1,
}  # fmt: skip
_INVERSES = {"wavenumber": 1e7, "wavenumbers": 1e7, "cm-1": 1e7, "ghz": 299_792_458.0,
             "mhz": 299_792_458_000.0}  # fmt: skip
_PIXELS = {  # unit of a pixel's size -> mm
    "meters": 1e3, "meter": 1e3, "metres": 1e3, "m": 1e3, "kilometers": 1e6, "km": 1e6,
    "centimeters": 10.0, "cm": 10.0, "millimeters": 1.0, "millimetres": 1.0, "mm": 1.0,
    "micrometers": 1e-3, "microns": 1e-3, "um": 1e-3, "µm": 1e-3, "feet": 304.8, "inches": 25.4,
}  # fmt: skip
_EDIT = "mend the line in the header; it is plain text"


@dataclass(frozen=True)
class EnviHeader:
    """What the header says, checked; wavelengths and their widths in nm."""

    path: Path
    samples: int
    lines: int
    bands: int
    offset: int
    dtype: np.dtype[np.generic]  # with the file's byte order
    interleave: str  # "bsq", "bil", "bip"
    wavelengths: tuple[float, ...] = ()
    fwhm: tuple[float, ...] = ()
    units: str = ""  # how the wavelengths' unit was known
    good: tuple[bool, ...] = ()  # bbl: False is a bad band
    names: tuple[str, ...] = ()
    scale: float | None = None  # what stored values are divided by to give reflectance
    gains: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    ignore: float | None = None
    geometry: Plane | None = None


def is_header(head: bytes) -> bool:
    """Whether a file begins as an ENVI header does."""
    return head.removeprefix(b"\xef\xbb\xbf")[:5].rstrip() == b"ENVI"


def parse(path: Path) -> EnviHeader:
    """A header file, read and checked.

    Raises:
        FormatError: a field is missing, impossible, or of a kind that is no plain image.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise FormatError(
            f"a header of {path.stat().st_size:,} bytes", file=path,
            expected=f"text of at most {_MOST_BYTES:,} bytes",
        )  # fmt: skip
    raw = path.read_bytes()
    if not is_header(raw):
        raise FormatError("no ENVI header", file=path, expected="a first line ENVI")
    return _checked(_Text(path, _fields(raw)))


def _fields(raw: bytes) -> dict[str, str]:
    """Each field's text by its name, without spaces and in small letters."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    found: dict[str, str] = {}
    lines = iter(text.splitlines()[1:])
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or line.startswith(";"):
            continue
        value = value.strip()
        if value.startswith("{"):
            parts = [value]
            while "}" not in parts[-1] and (more := next(lines, None)) is not None:
                parts += [] if more.startswith(";") else [more]
            value = "\n".join(parts).partition("}")[0] + "}"
        found["".join(name.split()).lower()] = value
    return found


@dataclass(frozen=True)
class _Text:
    """The fields' texts, read as what they should be."""

    path: Path
    fields: Mapping[str, str]

    def bad(self, name: str, expected: str) -> FormatError:
        said = self.fields.get(name)
        return FormatError(
            f"the header says nothing of `{name}`" if said is None
            else f"the header's `{name}` is {said[:40]!r}",
            file=self.path, expected=expected, remedy=_EDIT,
        )  # fmt: skip

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        said = self.fields.get(name, "")
        if not said and default is not None:
            return default
        if not (said.isdecimal() and len(said) < 19 and low <= int(said) <= high):
            raise self.bad(name, f"a whole number from {low} to {high:,}")
        return int(said)

    def items(self, name: str) -> list[str]:
        said = self.fields.get(name, "").strip("{} \t\n")
        return [item.strip() for item in said.replace("\n", " ").split(",")] if said else []

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """One finite number a band, or none at all."""
        items = [item for item in self.items(name) if item]
        try:
            values = tuple(float(item) for item in items)
        except ValueError:
            raise self.bad(name, "numbers, parted by commas") from None
        if values and (len(values) != count or not np.isfinite(values).all()):
            raise FormatError(
                f"the header's `{name}` has {len(values)} numbers for {count} bands",
                file=self.path, expected="one finite number a band", remedy=_EDIT,
            )  # fmt: skip
        return values

    def number(self, name: str) -> float | None:
        values = self.numbers(name, 1)
        return values[0] if values else None


def _checked(text: _Text) -> EnviHeader:
    _refuse_other_kinds(text)
    bands = text.whole("bands", 1, _MOST_BANDS)
    code = text.whole("datatype", 1, 99)
    if code not in _TYPES:
        raise text.bad("datatype", f"one of {', '.join(map(str, _TYPES))}")
    dtype = np.dtype(_TYPES[code])
    order = text.whole("byteorder", 0, 1, 0 if dtype.itemsize == 1 else None)
    interleave = text.fields.get("interleave", "bsq" if bands == 1 else "").lower()
    if interleave not in ("bsq", "bil", "bip"):
        raise text.bad("interleave", "bsq, bil or bip")
    wavelengths, fwhm, units = _wavelengths(text, bands)
    names = text.items("bandnames")
    scale = text.number("reflectancescalefactor")
    gains, offsets = (text.numbers(f"data{kind}values", bands) for kind in ("gain", "offset"))
    if scale is not None and (scale <= 0 or set(gains) - {1.0} or set(offsets) - {0.0}):
        raise text.bad("reflectancescalefactor", "above 0, and no `data gain values` besides")
    return EnviHeader(
        path=text.path,
        samples=text.whole("samples", 1, 1 << 40),
        lines=text.whole("lines", 1, 1 << 40),
        bands=bands,
        offset=text.whole("headeroffset", 0, 1 << 60, 0),
        dtype=dtype.newbyteorder(">" if order else "<"),
        interleave=interleave,
        wavelengths=wavelengths,
        fwhm=fwhm,
        units=units,
        good=tuple(value >= 0.5 for value in text.numbers("bbl", bands)),
        names=tuple(names) if len(names) == bands else (),
        scale=scale,
        gains=gains if set(gains) - {1.0} else (),
        offsets=offsets if set(offsets) - {0.0} else (),
        ignore=_ignored(text),
        geometry=_geometry(text),
    )


def _refuse_other_kinds(text: _Text) -> None:
    """What ENVI keeps in such files beside plain images."""
    kind = text.fields.get("filetype", "").lower()
    if "library" in kind or "compressed" in kind or text.fields.get("filecompression", "0") != "0":
        raise FormatError(
            f"ENVI's {kind or 'compressed file'!r} is no plain image", file=text.path,
            expected="ENVI Standard, not compressed", remedy="export it as ENVI Standard",
        )  # fmt: skip
    for name in ("majorframeoffsets", "minorframeoffsets"):
        if any(item.strip("0") for item in text.items(name)):
            raise text.bad(name, "no gaps between lines or bands")


def _wavelengths(text: _Text, bands: int) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """(wavelengths in nm, widths in nm, how their unit was known)."""
    values = np.array(text.numbers("wavelength", bands))
    widths = np.array(text.numbers("fwhm", bands))
    said = text.fields.get("wavelengthunits", "").strip("{} ").lower()
    if not values.size:
        return (), (), ""
    if said in _INVERSES and (values > 0).all():
        factor = _INVERSES[said]
        return (
            tuple(factor / values),
            tuple(factor * widths / values**2 if widths.size else ()),
            said,
        )
    if said in _LENGTHS and (values > 0).all():
        factor = _LENGTHS[said]
    elif said in ("", "unknown") and values.min() >= 100 and values.max() < 20_000:
        factor, said = 1.0, "nm, by their size: the header says no unit"
    elif said in ("", "unknown") and values.min() >= 0.1 and values.max() < 20:
        factor, said = 1e3, "µm, by their size: the header says no unit"
    elif said in ("index", "", "unknown"):
        return (), (), ""
    else:
        raise text.bad("wavelengthunits", f"one of {', '.join((*_LENGTHS, *_INVERSES))}")
    return tuple((values * factor).tolist()), tuple((widths * factor).tolist()), said


def _ignored(text: _Text) -> float | None:
    """The value of pixels without data; NaN needs no word."""
    said = text.fields.get("dataignorevalue", "")
    if said.lower() in ("", "nan", "-nan"):
        return None
    try:
        return float(said)
    except ValueError:
        raise text.bad("dataignorevalue", "a number") from None


def _geometry(text: _Text) -> Plane | None:
    """The pixel's size where the header says its unit: of `pixel size`, or of `map info`."""
    for name, first in (("pixelsize", 0), ("mapinfo", 5)):
        items = text.items(name)
        units = [item.partition("=")[2] for item in items if item.lower().startswith("units")]
        factor = _PIXELS.get(units[0].strip().lower()) if units else None
        if factor is None or len(items) < first + 2:
            continue
        try:
            x, y = (float(item) * factor for item in items[first : first + 2])
        except ValueError:
            raise text.bad(name, "numbers for the size of a pixel") from None
        if not (0 < x < np.inf and 0 < y < np.inf):
            raise text.bad(name, "sizes above 0")
        return Plane((x, y), "object")
    return None
