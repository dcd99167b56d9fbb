"""hounsfield info FILE|FOLDER"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.catalog.layouts.rows import Table
    from hounsfield.formats import Opened
    from hounsfield.formats.contract import Source
    from hounsfield.image import Image


@dataclass(frozen=True)
class Asked:
    """What to say and to draw of one image."""

    phi: bool
    values: bool
    affine: bool
    channel: str | None
    window: tuple[float, float] | None
    picture: Path | None
    look: bool


def info(
    path: Path,
    /,
    *,
    phi: bool = False,
    values: bool = False,
    affine: bool = False,
    channel: str | None = None,
    window: tuple[float, float] | None = None,
    picture: Path | None = None,
    no_look: bool = False,
) -> None:
    """Say what a file is, or what is in a folder; no names of people unless asked for.

    In a terminal, the middle slice of an image is drawn, too.

    Parameters
    ----------
    path
        A file, one image of a file (scan.npz#train_images/17), a table, a folder, or one image
        of a folder by its number (scans#2).
    phi
        Show the identifying numbers too, and the names of files that may be people's.
    values
        Read the pixels, and show the range of their values.
    affine
        Show the matrix from voxels to millimetres.
    channel
        Which channel or frame is drawn: its name, or its number from 0. The middle planes; of
        labels those with the most of them.
    window
        Centre and width of what is drawn, instead of the file's own.
    picture
        Write three planes as a PNG, with a scale in mm and the letters of the patient's sides.
    no_look
        Draw nothing in the terminal.
    """
    from rich.console import Console

    from hounsfield import formats
    from hounsfield.cli.info_folder import info_folder, several
    from hounsfield.cli.look import can_show
    from hounsfield.workflow.preparing import about

    out = Console(soft_wrap=True, highlight=False)
    asked = Asked(phi, values, affine, channel, window, picture, not no_look)
    _check(asked, drawn=picture is not None or (asked.look and can_show(out)))
    if "#" in str(path) and not path.exists():
        with nullcontext() if phi else about(path):
            _one(formats.open(path), asked, out)
        return
    found = info_folder(path, out, phi=phi) if path.is_dir() else _found(path, out)
    if found is not None and len(found) == 1:
        _one(formats.open(found[0]), asked, out)
        return
    _refuse_of_one(asked, path, found)
    if found and not path.is_dir():
        several(found, out)


def _refuse_of_one(asked: Asked, path: Path, found: list[Source] | None) -> None:
    """Flags that say what to tell of one image, where there is none or are several."""
    from hounsfield.errors import UsageError

    flags = {
        "--picture": asked.picture, "--values": asked.values, "--affine": asked.affine,
        "--channel": asked.channel, "--window": asked.window,
    }  # fmt: skip
    given = [name for name, value in flags.items() if value not in (None, False)]
    if not given:
        return
    if not found:
        problem = "this is a table, not an image" if found is None else "holds no sound image"
        raise UsageError(problem, file=path, remedy=f"leave {', '.join(given)} away")
    name = f"{path}#1" if path.is_dir() else found[0]
    raise UsageError(
        f"holds {len(found)} images", file=path, expected=f"one, for {', '.join(given)}",
        remedy=f"name one: {name}",
    )  # fmt: skip


def _check(asked: Asked, *, drawn: bool) -> None:
    from hounsfield.errors import UsageError

    if asked.picture is not None and asked.picture.suffix.lower() != ".png":
        raise UsageError("a picture is written as PNG", file=asked.picture, expected="a name.png")
    if asked.window is not None and not asked.window[1] > 0:
        raise UsageError(f"a window of width {asked.window[1]:g}", expected="a width above 0")
    chosen = [n for n, v in (("channel", asked.channel), ("window", asked.window)) if v is not None]
    if chosen and not drawn:
        raise UsageError(
            f"--{chosen[0]} says what is drawn, and nothing is drawn here",
            remedy="add --picture FILE.png",
        )


def _one(opened: Opened, asked: Asked, out: Console) -> None:
    """What is known of one image, and what it looks like."""
    from hounsfield.cli.info_words import rows_of
    from hounsfield.cli.look import can_show, look

    _print(rows_of(opened.header, phi=asked.phi, affine=asked.affine), out)
    if asked.values:
        _print([("range", _range(opened.read()))], out)
    if asked.look and can_show(out):
        look(opened, out, asked.channel, asked.window)
    if asked.picture is not None:
        _picture(opened, asked, asked.picture)
        out.print(str(asked.picture), markup=False)


def _range(image: Image) -> str:
    """The least, the greatest and the mean of the values."""
    import numpy as np

    values = image.array
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return "none is a number"
    told = f"{values.min():g} to {values.max():g}, mean {values.mean(dtype=float):.6g}"
    missing = image.array.size - values.size
    return told + (f", {missing:,} not finite" if missing else "")


def _picture(opened: Opened, asked: Asked, path: Path) -> None:
    """Three planes, or the one there is."""
    from hounsfield.cli.look import chosen
    from hounsfield.files import whole_file
    from hounsfield.reports import planes_figure

    image, which = chosen(opened, asked.channel, whole=True)
    window = asked.window or opened.header.facts.window
    seen = planes_figure.view(image, window, which)
    with whole_file(path) as file:
        file.write(planes_figure.png(seen))


def _found(path: Path, out: Console) -> list[Source] | None:
    """The images in a file; None where it is a table that names images, which is then shown."""
    from hounsfield import formats
    from hounsfield.catalog.layouts.rows import TABLES, Table
    from hounsfield.errors import FormatError

    try:
        return formats.find(path)
    except FormatError as error:
        if error.problem != formats.NO_IMAGE or path.suffix.lower() not in TABLES:
            raise
    _print(_table(Table(path)), out)
    out.print(f"`hounsfield train {path}` and `hounsfield index {path}` read it", markup=False)
    return None


def _table(table: Table) -> list[tuple[str, str]]:
    """How the layout `table` reads a table: which column says what."""
    from hounsfield.catalog.layouts.columns import SIDECAR, detect

    found = detect(table)
    rows = [("format", "table"), ("rows", f"{sum(1 for _ in table.rows()):,}")]
    if found is None:
        missing = f"no column names files that are there: write `path: COLUMN` into {SIDECAR}"
        return [*rows, ("image files", f"{missing} beside it (`hounsfield layouts table`)")]
    told = found.model_dump(exclude_none=True, exclude_defaults=True)
    ends = " … ".join(filter(None, (told.pop("folder", ""), told.pop("suffix", ""))))
    rows.append(("image files", f"column {told.pop('path')}" + (f" ({ends})" if ends else "")))
    for role, name in told.items():
        names = (name,) if isinstance(name, str) else name
        rows.append((role, f"column{'s' * (len(names) > 1)} {', '.join(names)}"))
    return rows


def _print(rows: list[tuple[str, str]], out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="cyan"), Text(value))
    out.print(table)
