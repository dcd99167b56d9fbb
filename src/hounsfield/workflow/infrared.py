"""Files of infrared cameras: temperatures and spectra, measured, drawn and written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError, UsageError
from hounsfield.files import refuse_existing
from hounsfield.workflow.data import Data
from hounsfield.workflow.preparing import about, refuse_target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.formats.thermal import Parameters
    from hounsfield.image import Image


@dataclass(frozen=True)
class Outputs:
    """What is written; None is not."""

    image: Path | None = None
    picture: Path | None = None  # PNG
    table: Path | None = None  # CSV
    overwrite: bool = False

    def refuse(self) -> None:
        """Before anything is read: names that no format has, and files that are there already."""
        from hounsfield import formats
        from hounsfield.preprocessing.figures import refuse_suffix

        if self.image is not None:
            formats.format_of(self.image)
        refuse_suffix(self.picture)
        refuse_existing((self.image, self.picture, self.table), overwrite=self.overwrite)


def temperatures(
    file: Data, parameters: Parameters | None = None, outputs: Outputs | None = None
) -> Image:
    """The map of temperatures in °C of a radiometric JPEG, (1, 1, Y, X) float32; written if asked.

    Raises:
        UsageError: a file is there already, or with these parameters no pixel has a temperature.
        FormatError: as `formats.thermal.temperatures`.
    """
    import numpy as np

    from hounsfield import formats
    from hounsfield.formats import thermal

    outputs, path = outputs or Outputs(), Path(file)
    outputs.refuse()
    if outputs.image is not None:
        refuse_target(outputs.image, (1, 1), whole=False)
    image = thermal.temperatures(path, parameters)
    if not np.isfinite(image.array).any():
        raise UsageError(
            "with these parameters no pixel has a temperature",
            file=path,
            remedy="check emissivity, reflected and window_transmission",
        )
    if outputs.image is not None:
        formats.write(image, outputs.image)
    if outputs.picture is not None:
        from hounsfield.preprocessing import figures
        from hounsfield.preprocessing.infrared.figures import temperature_figure

        figures.save(temperature_figure(path, image), outputs.picture)
    return image


@dataclass(frozen=True)
class Spectral:
    """What is made of a cube before it is measured.

    `bands` are wavelengths in nm, "700-900"; `index` is a name ("ndvi") or two wavelengths
    ("800,670"); `smooth` the bands in Savitzky and Golay's window. `baseline` changes the spectra
    alone, not the cube.
    """

    white: Path | None = None
    dark: Path | None = None
    panel: float = 1.0
    bands: str | None = None
    bad_bands: bool = False
    index: str | None = None
    smooth: int | None = None
    baseline: bool = False

    def __post_init__(self) -> None:
        if (self.white is None) != (self.dark is None):
            raise UsageError(
                "one reference alone", expected="--white and --dark, or none of them",
                remedy="reflectance is (raw - dark) / (white - dark)",
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """The cube, the index that was asked for, and the spectra (pixels, bands) at `nm`."""

    cube: Image
    index: Image | None
    nm: NDArray[np.float64]
    values: NDArray[Any]


def spectra(file: Data, how: Spectral | None = None, outputs: Outputs | None = None) -> Measured:
    """The spectra of a hyperspectral cube; the cube (or its index), table and picture if asked.

    Raises:
        UsageError: a file is there already, or what is asked for does not go together.
        InputError: bands, references or wavelengths that do not fit.
    """
    how, outputs = how or Spectral(), outputs or Outputs()
    outputs.refuse()
    with about(file):
        found = _measured(_cube(Path(file), how), how)
        # It may refuse: before anything is written.
        table = _table(found) if outputs.table is not None else ""
    _write(found, how, outputs, table)
    return found


def _measured(cube: Image, how: Spectral) -> Measured:
    from hounsfield.preprocessing.infrared import spectra as room

    cube = cube if how.bad_bands else room.good_bands(cube)
    if how.smooth is not None:
        smoothed = room.smooth(room.spectra(cube), how.smooth)
        cube = room.as_image(smoothed.astype("float32"), cube)
    values = room.spectra(cube)
    if how.baseline:
        values = values - room.baseline(values)
    return Measured(cube, _index(cube, how.index), room.wavelengths(cube), values)


def _write(found: Measured, how: Spectral, outputs: Outputs, table: str) -> None:
    from hounsfield import formats
    from hounsfield.files import write_text
    from hounsfield.preprocessing import figures
    from hounsfield.preprocessing.infrared import spectra as room
    from hounsfield.preprocessing.infrared.figures import spectra_figure

    nm = found.nm
    if outputs.image is not None:
        formats.write(found.index or found.cube, outputs.image)
    if outputs.table is not None:
        write_text(outputs.table, table)
    if outputs.picture is not None:
        shown = found.index or room.select_bands(found.cube, nm[len(nm) // 2], nm[len(nm) // 2])
        unit = found.cube.channels[0].unit or "stored value"
        axis = f"{unit} above the baseline" if how.baseline else unit
        figures.save(spectra_figure(nm, found.values, shown, axis), outputs.picture)


def _cube(file: Path, how: Spectral) -> Image:
    """The cube, as reflectance where both references are given."""
    from hounsfield import formats
    from hounsfield.preprocessing.infrared import spectra as room

    def read(path: Path) -> Image:
        if how.bands is None:
            return formats.read(path)
        if formats.sniff(path) == "envi":
            return formats.read(f"{path}#{how.bands}")
        low, _, high = how.bands.partition("-")
        try:
            return room.select_bands(formats.read(path), float(low), float(high))
        except ValueError:
            raise UsageError(f"bands {how.bands!r}", expected="two wavelengths, 700-900") from None

    if how.white is None or how.dark is None:
        return read(file)
    return room.reflectance(read(file), read(how.white), read(how.dark), panel=how.panel)


def _index(cube: Image, asked: str | None) -> Image | None:
    """A named index, or that of two wavelengths."""
    from hounsfield.preprocessing.infrared import spectra as room

    if asked is None:
        return None
    first, comma, second = asked.partition(",")
    try:
        two = (float(first), float(second)) if comma else None
    except ValueError:
        two = None
    return room.normalised_difference(cube, *two) if two else room.index(cube, asked)


def _table(found: Measured) -> str:
    """CSV, one line a band; pixels with a value that is not known are left out."""
    import numpy as np

    known = found.values[np.isfinite(found.values).all(1)].astype(np.float64)
    if not len(known):
        raise InputError("no pixel has a known value in every band", remedy="select other bands")
    low, high = np.percentile(known, (5, 95), axis=0)
    lines = ["wavelength_nm,mean,sd,p5,p95"]
    columns = zip(found.nm, known.mean(0), known.std(0), low, high, strict=True)
    lines += [",".join(f"{value:.8g}" for value in line) for line in columns]
    return "\n".join(lines) + "\n"
