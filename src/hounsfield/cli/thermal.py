"""hounsfield thermal FILE"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hounsfield.formats.thermal import Parameters
    from hounsfield.image import Image


def thermal(
    file: Path,
    /,
    *,
    emissivity: float | None = None,
    distance: float | None = None,
    reflected: float | None = None,
    atmosphere: float | None = None,
    humidity: float | None = None,
    window: float | None = None,
    window_transmission: float | None = None,
    air: Literal["halved", "whole"] | None = None,
    picture: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Temperatures of a radiometric JPEG, in °C; what is not given is taken from the camera.

    Parameters
    ----------
    file
        A radiometric JPEG of a FLIR camera; an ordinary picture is refused.
    emissivity
        Of the object, above 0 to 1. Human skin has 0.98.
    distance
        From camera to object, in metres.
    reflected
        Apparent temperature of what the object mirrors, in °C.
    atmosphere
        Temperature of the air, in °C.
    humidity
        Relative humidity of the air, 0 to 1.
    window
        Temperature of a window before the camera, in °C.
    window_transmission
        Share of radiation that the window lets through, above 0 to 1.
    air
        How the path through the air counts: half on either side of the window, or whole.
    picture
        Write a PNG: the camera's own picture beside the map of temperatures with its scale.
    out
        Write the map of temperatures (.nii.gz, .tif, .npy, …).
    overwrite
        Replace what exists.
    """
    from hounsfield import workflow
    from hounsfield.formats import thermal as radiometric
    from hounsfield.workflow.infrared import Outputs

    asked = radiometric.Parameters(
        emissivity, distance, reflected, atmosphere, humidity, window, window_transmission, air
    )
    outputs = Outputs(image=out, picture=picture, overwrite=overwrite)
    image = workflow.temperatures(file, asked, outputs)
    written = [("written", str(out))] if out else []
    drawn = [("picture", str(picture))] if picture else []
    print_rows([*_rows(image, asked, radiometric.camera(file).model), *written, *drawn])


def _rows(image: Image, asked: Parameters, model: str | None) -> list[tuple[str, str]]:
    import numpy as np

    celsius = image.array[0, 0]
    known = celsius[np.isfinite(celsius)]
    y, x = np.unravel_index(int(np.nanargmax(celsius)), celsius.shape)
    rows = [
        ("camera", model or "its name is not in the file"),
        ("size", f"{celsius.shape[1]} × {celsius.shape[0]}"),
        ("signal", str(image.stored["signal"])),
        ("temperature", f"{known.min():.2f} to {known.max():.2f} °C"),
        ("mean, median", f"{known.mean(dtype=float):.2f}, {np.median(known):.2f} °C"),
        ("hottest at", f"x {x}, y {y}"),
    ]
    if known.size < celsius.size:
        rows.append(("no temperature", f"{celsius.size - known.size:,} pixels: too little signal"))
    units = {"distance": " m", "reflected": " °C", "atmosphere": " °C", "window": " °C"}
    for name in ("emissivity", "distance", "reflected", "atmosphere", "humidity", "window",
                 "window_transmission", "air"):  # fmt: skip
        value = image.stored[name]
        told = value if isinstance(value, str) else f"{value:g}{units.get(name, '')}"
        given = "given" if getattr(asked, name) is not None else "the camera's"
        given = "as usual" if name == "air" and given != "given" else given
        rows.append((name.replace("_", " "), f"{told} ({given})"))
    return rows


def print_rows(rows: list[tuple[str, str]]) -> None:
    """A name and what is known of it, a line each."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="cyan"), Text(value))
    Console(soft_wrap=True, highlight=False).print(table)
