"""hounsfield spectra FILE"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hounsfield.image import Image


def spectra(
    file: Path,
    /,
    *,
    white: Path | None = None,
    dark: Path | None = None,
    panel: float = 1.0,
    bands: str | None = None,
    bad_bands: bool = False,
    index: str | None = None,
    smooth: int | None = None,
    baseline: bool = False,
    table: Path | None = None,
    picture: Path | None = None,
    out: Path | None = None,
) -> None:
    """Bands, reflectance, indices and the mean spectrum of a hyperspectral cube.

    Parameters
    ----------
    file
        A cube whose bands have wavelengths: an ENVI file or its header.
    white
        A cube of the white reference; needs --dark.
    dark
        A cube with the shutter closed; needs --white.
    panel
        Reflectance of the white panel itself.
    bands
        Wavelengths in nm, as 700-900: the near infrared. Nothing else is read.
    bad_bands
        Keep the bands that the header marks as bad.
    index
        A published index: ndvi, ndwi, pri. Or two wavelengths in nm, as 800,670.
    smooth
        Bands in the window of Savitzky and Golay's filter (odd), order 2.
    baseline
        Subtract the slow ground below the peaks from the spectra of table and picture.
    table
        Write the spectrum as CSV: wavelength, mean, standard deviation, 5th and 95th percentile.
    picture
        Write a PNG: the spectrum beside the index, or the middle band.
    out
        Write the cube, or the index where one is asked for (.npy, .tif, .nii.gz, …).
    """
    from hounsfield import formats
    from hounsfield.cli.thermal import print_rows
    from hounsfield.preprocessing import figures
    from hounsfield.preprocessing.infrared import figures as infrared_figures
    from hounsfield.preprocessing.infrared import spectra as rooms

    cube = _prepared(file, bands, white, dark, panel)
    cube = cube if bad_bands else rooms.good_bands(cube)
    if smooth is not None:
        smoothed = rooms.smooth(rooms.spectra(cube), smooth)
        cube = rooms.as_image(smoothed.astype("float32"), cube)
    values = rooms.spectra(cube)
    if baseline:
        values = values - rooms.baseline(values)
    made = _index(cube, index) if index else None
    nm, unit = rooms.wavelengths(cube), cube.channels[0].unit or "stored value"
    rows = _rows(cube, made, unit)
    if out is not None:
        formats.write(made or cube, out)
        rows.append(("written", str(out)))
    if table is not None:
        _write_table(table, nm, values)
        rows.append(("table", str(table)))
    if picture is not None:
        shown = made or rooms.select_bands(cube, nm[len(nm) // 2], nm[len(nm) // 2])
        axis = f"{unit} above the baseline" if baseline else unit
        figures.save(infrared_figures.spectra_figure(nm, values, shown, axis), picture)
        rows.append(("picture", str(picture)))
    print_rows(rows)


def _prepared(
    file: Path, bands: str | None, white: Path | None, dark: Path | None, panel: float
) -> Image:
    """The cube, as reflectance where both references are given."""
    from hounsfield import formats
    from hounsfield.errors import UsageError
    from hounsfield.preprocessing.infrared import spectra as rooms

    if (white is None) != (dark is None):
        raise UsageError(
            "one reference alone", expected="--white and --dark, or none of them",
            remedy="reflectance is (raw - dark) / (white - dark)",
        )  # fmt: skip

    def read(path: Path) -> Image:
        if bands is None:
            return formats.read(path)
        if formats.sniff(path) == "envi":
            return formats.read(f"{path}#{bands}")
        low, _, high = bands.partition("-")
        try:
            return rooms.select_bands(formats.read(path), float(low), float(high))
        except ValueError:
            raise UsageError(f"bands {bands!r}", expected="two wavelengths, 700-900") from None

    if white is None or dark is None:
        return read(file)
    return rooms.reflectance(read(file), read(white), read(dark), panel=panel)


def _index(cube: Image, asked: str) -> Image:
    """A named index, or that of two wavelengths."""
    from hounsfield.preprocessing.infrared import spectra as rooms

    first, comma, second = asked.partition(",")
    try:
        two = (float(first), float(second)) if comma else None
    except ValueError:
        two = None
    return rooms.normalised_difference(cube, *two) if two else rooms.index(cube, asked)


def _rows(cube: Image, made: Image | None, unit: str) -> list[tuple[str, str]]:
    import numpy as np

    from hounsfield.preprocessing.infrared import spectra as rooms

    nm = rooms.wavelengths(cube)
    c, _, y, x = cube.shape
    rows = [
        ("size", f"{x} × {y}, {c} bands"),
        ("wavelengths", f"{nm.min():g} to {nm.max():g} nm"),
        ("values", f"{cube.array.dtype}, {unit}"),
    ]
    dead = int(cube.array.size - np.isfinite(cube.array).sum())
    rows += (
        [("not known", f"{dead:,} values: dead detectors, or pixels without data")] if dead else []
    )
    if made is not None:
        known = made.array[np.isfinite(made.array)]
        told = "nowhere known"
        if known.size:
            told = f"{known.min():.4g} to {known.max():.4g}, mean {known.mean(dtype=float):.4g}"
        rows.append((made.channels[0].name, told))
    return rows


def _write_table(path: Path, nm: Any, values: Any) -> None:
    """One line a band; pixels with a value that is not known are left out."""
    import numpy as np

    from hounsfield.errors import InputError
    from hounsfield.files import write_text

    known = values[np.isfinite(values).all(1)].astype(np.float64)
    if not len(known):
        raise InputError("no pixel has a known value in every band", remedy="select other bands")
    low, high = np.percentile(known, (5, 95), axis=0)
    lines = ["wavelength_nm,mean,sd,p5,p95"]
    columns = zip(nm, known.mean(0), known.std(0), low, high, strict=True)
    lines += [",".join(f"{value:.8g}" for value in line) for line in columns]
    write_text(path, "\n".join(lines) + "\n")
