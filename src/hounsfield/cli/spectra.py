"""hounsfield spectra FILE"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.workflow.infrared import Measured


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
    overwrite: bool = False,
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
    overwrite
        Replace what exists.
    """
    from hounsfield import workflow
    from hounsfield.cli.thermal import print_rows
    from hounsfield.workflow.infrared import Outputs, Spectral

    how = Spectral(white, dark, panel, bands, bad_bands, index, smooth, baseline)
    outputs = Outputs(out, picture, table, overwrite)
    rows = _rows(workflow.spectra(file, how, outputs))
    named = (("written", out), ("table", table), ("picture", picture))
    print_rows([*rows, *((name, str(path)) for name, path in named if path)])


def _rows(found: Measured) -> list[tuple[str, str]]:
    import numpy as np

    cube, made, nm = found.cube, found.index, found.nm
    c, _, y, x = cube.shape
    rows = [
        ("size", f"{x} × {y}, {c} bands"),
        ("wavelengths", f"{nm.min():g} to {nm.max():g} nm"),
        ("values", f"{cube.array.dtype}, {cube.channels[0].unit or 'stored value'}"),
    ]
    dead = int(cube.array.size - np.isfinite(cube.array).sum())
    if dead:
        rows.append(("not known", f"{dead:,} values: dead detectors, or pixels without data"))
    if made is not None:
        known = made.array[np.isfinite(made.array)]
        told = "nowhere known"
        if known.size:
            told = f"{known.min():.4g} to {known.max():.4g}, mean {known.mean(dtype=float):.4g}"
        rows.append((made.channels[0].name, told))
        if cube.channels[0].unit != "reflectance":
            rows.append(("note", "an index is defined on reflectance: --white and --dark give it"))
    return rows
