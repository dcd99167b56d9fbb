"""hounsfield info FILE|FOLDER"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.catalog.layouts.rows import Table
    from hounsfield.formats.contract import Header, Source

_SHOWN = 20


def info(
    path: Path, /, *, phi: bool = False, values: bool = False, picture: Path | None = None
) -> None:
    """Say what a file is, or what is in a folder; no names of people unless asked for.

    Parameters
    ----------
    path
        A file, one image of a file (scan.npz#train_images/17), a table, or a folder.
    phi
        Show the identifying numbers too, and the names of files that may be people's.
    values
        Read the pixels, and show the range of their values.
    picture
        Write the middle slice as a PNG, in the file's own window if it has one.
    """
    from rich.console import Console

    out = Console(soft_wrap=True, highlight=False)
    if path.is_dir():
        _folder(path, out, phi=phi)
        return
    from hounsfield import formats
    from hounsfield.errors import UsageError

    named = "#" in str(path) and not path.exists()
    found = [] if named else _found(path, out)
    if found is None:
        return
    if len(found) > 1:
        if picture or values:
            raise UsageError(
                f"holds {len(found)} images", file=path, remedy=f"name one: {found[0]}"
            )
        _several(found, out)
        return
    opened = formats.open(found[0] if found else path)
    rows = _rows(opened.header, phi=phi)
    if values or picture:
        rows += _seen(opened, picture, values=values)
    _print(rows, out)


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


def _rows(header: Header, *, phi: bool) -> list[tuple[str, str]]:
    from hounsfield.geometry import Patient, Plane

    facts, geometry = header.facts, header.geometry
    c, z, y, x = header.shape
    size = f"{x} × {y}" + (f" × {z}" if z > 1 else "") + (f", {c} channels" if c > 1 else "")
    if geometry is None:
        place = "unknown: the file gives no millimetres"
    else:
        place = " × ".join(f"{mm:.4g}" for mm in geometry.spacing) + " mm"
    if isinstance(geometry, Plane):
        told = {"object": "in the body", "detector": "at the detector", "unknown": "not said where"}
        place += f", measured {told[geometry.calibration]}"
    units = sorted({channel.unit for channel in header.channels if channel.unit})
    window = f"centre {facts.window[0]:g}, width {facts.window[1]:g}" if facts.window else None
    rows: list[tuple[str, str | None]] = [
        ("format", header.format),
        ("modality", header.modality),
        ("size", size),
        ("values", f"{header.dtype}" + (f" ({', '.join(units)})" if units else "")),
        ("stored as", facts.stored),
        ("spacing", place),
        ("orientation", geometry.orientation if isinstance(geometry, Patient) else None),
        ("window", window),
        ("view", facts.view),
        ("body part", facts.body_part),
        ("sex, age", _person(header)),
        ("scanner", " ".join(filter(None, (facts.manufacturer, facts.model))) or None),
    ]
    if phi:
        who = header.identity
        rows += [("patient", who.patient), ("study", who.study)]
        rows += [("series", who.series), ("instance", who.instance)]
    return [(name, value) for name, value in rows if value]


def _person(header: Header) -> str | None:
    age = f"{header.facts.age:.3g} years" if header.facts.age is not None else None
    return ", ".join(filter(None, (header.facts.sex, age))) or None


def _seen(opened: object, picture: Path | None, *, values: bool) -> list[tuple[str, str]]:
    """Rows that need the pixels."""
    import numpy as np

    from hounsfield import formats
    from hounsfield.formats.conversion import picture as drawn
    from hounsfield.image import Image

    assert isinstance(opened, formats.Opened)
    image = opened.read()
    rows = []
    if values:
        finite = image.array[np.isfinite(image.array)]
        told = "none is a number"
        if finite.size:
            told = f"{finite.min():g} to {finite.max():g}, mean {finite.mean(dtype=float):.6g}"
        missing = image.array.size - finite.size
        rows.append(("range", told + (f", {missing:,} not finite" if missing else "")))
    if picture is not None:
        pixels = drawn(image, opened.header.facts.window)
        formats.write(Image.from_numpy(pixels, colour=pixels.ndim == 3), picture)
        rows.append(("picture", str(picture)))
    return rows


def _several(found: list[Source], out: Console) -> None:
    """A file of many images: the first of each stack."""
    from hounsfield import formats

    stacks: dict[str, list[Source]] = {}
    for source in found:
        stacks.setdefault((source.member or "").rpartition("/")[0] or "images", []).append(source)
    out.print(f"{len(found)} images", markup=False)
    for name, sources in stacks.items():
        header = formats.header(sources[0])
        c, z, y, x = header.shape
        told = f"{name}: {len(sources)} of {c}×{z}×{y}×{x} {header.dtype}; name one: {sources[0]}"
        out.print(told, markup=False)


def _folder(folder: Path, out: Console, *, phi: bool) -> None:
    """Counts by format and modality, and what cannot be read."""
    from hounsfield import formats
    from hounsfield.catalog import layouts, pseudonym
    from hounsfield.errors import HounsfieldError, InputError
    from hounsfield.folders import walk
    from hounsfield.formats.folder import is_picture

    kinds: Counter[tuple[str, str]] = Counter()
    others: Counter[str] = Counter()  # tables, texts: no images, and nothing is wrong with them
    bad: list[tuple[str, str]] = []
    for name in walk(folder):
        file = folder / name
        try:
            found = formats.find(file)
            header = formats.header(found[0]) if found else None
        except HounsfieldError as error:
            if error.problem == formats.NO_IMAGE and not is_picture(name):
                others[file.suffix or "no suffix"] += 1
                continue
            plain = phi or pseudonym.plain_path(Path(name))
            bad.append((name if plain else "(name hidden, --phi shows it)", error.problem))
            continue
        if header is not None:
            kinds[header.format, header.modality or ""] += len(found)
    if not kinds and not bad and not others:
        raise InputError(
            "this folder has no files, or only hidden ones, runs and catalogs",
            file=folder,
            remedy="check the path",
        )
    layout = layouts.recognise(folder)
    out.print(f"layout {layout}: {layouts.load(layout).TITLE}", markup=False)
    for (kind, modality), count in kinds.most_common():
        out.print(f"{count:>8,}  {kind} {modality}".rstrip(), markup=False)
    if others:
        named = ", ".join(f"{count:,} {suffix}" for suffix, count in others.most_common(5))
        out.print(f"{others.total():>8,}  no images ({named})", markup=False)
    if bad:
        out.print(f"{len(bad):>8,}  unreadable", markup=False)
    for name, problem in bad[:_SHOWN]:
        out.print(f"          {name}: {problem}", markup=False)
    if len(bad) > _SHOWN:
        out.print(f"          and {len(bad) - _SHOWN:,} more", markup=False)


def _print(rows: list[tuple[str, str]], out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, style="cyan"), Text(value))
    out.print(table)
