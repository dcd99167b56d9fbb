"""ENVI: a hyperspectral cube beside its text header. Read by either file's name; not written.

Bands become channels with their wavelength in nm, whatever the interleave. Values are the stored
ones, or reflectance (or radiance) where the header gives its scale. CUBE.hdr#700-900 reads the
bands of 700 to 900 nm and nothing else from the disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.envi.fields import EnviHeader, is_header, parse
from hounsfield.formats.guard import check_promise, refusing
from hounsfield.image import Channel, Image

SUFFIX = ".hdr"
EXTRA = None

# A cube's suffixes, in the order of preference; NAME.hdr beside NAME.dat, or NAME.dat.hdr
_DATA = ("dat", "img", "raw", "bil", "bip", "bsq", "cube", "bin", "hyspex", "envi", "float", "int")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


def sniff(head: bytes, path: Path) -> bool:
    return is_header(head) or _header_of(path) is not None


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """From the text; no value is read.

    Raises:
        FormatError: a field that is missing or impossible, no data file beside the header, a data
            file that is too short, or no band within the range that the source names.
    """
    with refusing(source.file, "the header"):
        text, data = _pair(source.file)
        return _header(text, data, _bands(text, source))


def read(source: Source, like: Like | None = None) -> Image:
    """The cube (bands, 1, lines, samples), or only the bands that the source names.

    Raises:
        FormatError: as `header`.
    """
    with refusing(source.file, "the cube"):
        text, data = _pair(source.file)
        bands = _bands(text, source)
        head = _header(text, data, bands)
        array = _values(_stored(text, data, bands), text, bands)
        array = chosen(array[:, None], like, source.file)
        return Image(as_small(array), head.geometry, head.channels, _kept(text, bands))


def _pair(path: Path) -> tuple[EnviHeader, Path]:
    """The header, and the file of its values."""
    with path.open("rb") as file:
        said = file.read(8)
    if not is_header(said):
        text = _header_of(path)
        if text is None:
            raise FormatError("no ENVI header beside this file", file=path)
        return parse(text), path
    stem = path.with_suffix("") if path.suffix.lower() == ".hdr" else path
    names = [stem, *(Path(f"{stem}.{end}") for end in (*_DATA, *(end.upper() for end in _DATA)))]
    found = [name for name in names if name != path and name.is_file()]
    if not found:
        raise FormatError(
            "this header has no data file beside it",
            file=path,
            expected=f"{stem.name} or {stem.name}.dat, .img, .raw, … in the same folder",
            remedy="copy both files",
        )
    return parse(path), found[0]


def _header_of(path: Path) -> Path | None:
    """The ENVI header beside a file of values."""
    names = [Path(f"{path}{end}") for end in (".hdr", ".HDR")]
    if path.suffix.lower().lstrip(".") in ("", *_DATA):
        names += [path.with_suffix(end) for end in (".hdr", ".HDR")]
    for name in names:
        try:
            with name.open("rb") as file:
                if name != path and is_header(file.read(8)):
                    return name
        except OSError:
            continue
    return None


def _bands(text: EnviHeader, source: Source) -> NDArray[np.intp]:
    """The numbers of the bands that a source names, from 0; all without a name."""
    every = np.arange(text.bands)
    if source.member is None:
        return every
    asked = _RANGE.fullmatch(source.member)
    if asked is None:
        raise FormatError(
            f"no bands {source.member!r}", file=source.file, expected="a range in nm, as #700-900"
        )
    low, high = map(float, asked.groups())
    nm = np.array(text.wavelengths)
    if not nm.size:
        raise FormatError(
            "the header gives no wavelengths to select bands by", file=text.path,
            remedy="add `wavelength` and `wavelength units` to the header",
        )  # fmt: skip
    chosen_bands = every[(nm >= low) & (nm <= high)]
    if not chosen_bands.size:
        raise FormatError(
            f"no band within {low:g} to {high:g} nm", file=source.file,
            expected=f"within {nm.min():g} to {nm.max():g} nm",
        )  # fmt: skip
    return chosen_bands


def _header(text: EnviHeader, data: Path, bands: NDArray[np.intp]) -> Header:
    found = max(data.stat().st_size - text.offset, 0)
    check_promise(data, (text.bands, text.lines, text.samples), text.dtype, found)
    channels = _channels(text, bands)
    return Header(
        format="envi",
        shape=(len(channels), 1, text.lines, text.samples),
        dtype=_value_dtype(text),
        geometry=text.geometry,
        channels=channels,
        facts=Facts(stored=_coding(text)),
    )


def _channels(text: EnviHeader, bands: NDArray[np.intp]) -> tuple[Channel, ...]:
    unit = "reflectance" if text.scale else None
    parts = ("real", "imaginary") if text.dtype.kind == "c" else ("",)
    return tuple(
        Channel(
            name=" ".join(filter(None, (text.names[i] if text.names else "", part))),
            unit=unit,
            wavelength=text.wavelengths[i] if text.wavelengths else None,
        )
        for i in bands
        for part in parts
    )


def _coding(text: EnviHeader) -> str:
    order = "" if text.dtype.itemsize == 1 else (
        ", big-endian" if text.dtype.newbyteorder(">") == text.dtype else ", little-endian"
    )  # fmt: skip
    words = f"ENVI {text.interleave.upper()}, {text.dtype.newbyteorder('=')}{order}"
    if text.wavelengths:
        words += f", {min(text.wavelengths):.4g} to {max(text.wavelengths):.4g} nm"
        words += f" ({text.units})" if "by their size" in text.units else ""
    bad = text.good.count(False)
    words += f", {bad} of {text.bands} bands marked bad" if bad else ""
    return words + (f", / {text.scale:g} to reflectance" if text.scale else "")


def _kept(text: EnviHeader, bands: NDArray[np.intp]) -> dict[str, object]:
    """What the header says besides, one entry a band read."""
    return {
        "format": "envi",
        "interleave": text.interleave,
        "dtype": text.dtype.newbyteorder("=").name,
        "fwhm": tuple(text.fwhm[i] for i in bands) if text.fwhm else (),
        "bbl": tuple(text.good[i] for i in bands) if text.good else (),
        "wavelength_units": text.units,
        "ignore": text.ignore,
        "reflectance_scale_factor": text.scale,
    }


def _stored(text: EnviHeader, data: Path, bands: NDArray[np.intp]) -> NDArray[Any]:
    """(bands, lines, samples) as stored, in this machine's byte order; copied piece by piece.

    A piece is what lies together on the disk: a band of BSQ, a line of BIL and BIP.
    """
    b, y, x = text.bands, text.lines, text.samples
    shape = {"bsq": (b, y, x), "bil": (y, b, x), "bip": (y, x, b)}[text.interleave]
    on_disk = np.memmap(data, text.dtype, "r", text.offset, shape)
    values = np.empty((len(bands), y, x), text.dtype.newbyteorder("="))
    if text.interleave == "bsq":
        for place, band in enumerate(bands):
            values[place] = on_disk[band]
        return values
    together = slice(bands[0], bands[-1] + 1) if bands[-1] - bands[0] < len(bands) else bands
    for line in range(y):
        piece = on_disk[line]
        values[:, line] = piece[together] if text.interleave == "bil" else piece[:, together].T
    return values


def _value_dtype(text: EnviHeader) -> np.dtype[Any]:
    stored = text.dtype.newbyteorder("=")
    real = np.dtype(f"f{stored.itemsize // 2}") if stored.kind == "c" else stored
    if not (text.scale or text.gains or text.offsets):
        return real
    return np.dtype(np.float32 if real.itemsize < 4 or real == np.float32 else np.float64)


def _values(stored: NDArray[Any], text: EnviHeader, bands: NDArray[np.intp]) -> NDArray[Any]:
    """Physical values (C, Y, X); pixels without data are NaN where the values are fractions."""
    if stored.dtype.kind == "c":
        both = np.stack([stored.real, stored.imag], 1)
        stored, bands = both.reshape(-1, *stored.shape[1:]), bands.repeat(2)
    dtype = _value_dtype(text)
    void = stored == text.ignore if text.ignore is not None and dtype.kind == "f" else None
    values = stored.astype(dtype, copy=False)
    if text.scale:
        values /= dtype.type(text.scale)
    if text.gains:
        values *= np.array(text.gains, dtype)[bands, None, None]
    if text.offsets:
        values += np.array(text.offsets, dtype)[bands, None, None]
    if void is not None:
        values[void] = np.nan
    return values
