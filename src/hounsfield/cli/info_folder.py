"""hounsfield info FOLDER: its images by number, and what is wrong with others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.errors import HounsfieldError
    from hounsfield.formats.contract import Header, Source
    from hounsfield.formats.folder import Contents

MOST = 40  # images that are listed one by one
_SHOWN = 20  # faults that are told
COLUMNS = ("#", "", "series", "size", "mm", "orientation", "unit", "channels", "files", "where")
HIDDEN = "(hidden)"
HIDDEN_TOLD = "names hidden, as they may be somebody's: --phi shows them"


@dataclass(frozen=True, eq=False)
class Listed:
    """An image of a folder: its number, and its header, or what is wrong with that."""

    number: int
    source: Source
    header: Header | None = None
    fault: HounsfieldError | None = None


def info_folder(folder: Path, out: Console, *, phi: bool) -> list[Source]:
    """Tell what is in a folder; its images that can be read are returned."""
    from hounsfield.catalog import layouts
    from hounsfield.cli.console import Terminal
    from hounsfield.errors import InputError
    from hounsfield.formats.folder import contents

    watch = Terminal(times=False)
    with watch.stage("info"):
        found = contents(folder, lambda count: watch.tell("files", count, None))
        listed = _headers(found.sources)
    if not (found.sources or found.bad or found.others):
        raise InputError(
            "this folder has no files, or only hidden ones, runs and catalogs",
            file=folder,
            remedy="check the path",
        )
    layout = layouts.recognise(folder)
    out.print(f"layout {layout}: {layouts.load(layout).TITLE}", markup=False)
    faults = [one for one in listed if one.fault is not None]
    if len(found.sources) <= MOST:
        _table(listed, folder, out, phi=phi)
        faults = []  # they have rows of their own
    else:
        _counts(listed, out)
    _others(found, out)
    _unreadable(found, faults, folder, out, phi=phi)
    good = [one.source for one in listed if one.fault is None]
    if 1 < len(found.sources) <= MOST and good:
        first = next(one.number for one in listed if one.fault is None)
        out.print(f"`hounsfield info {folder}#{first}` says more of one", markup=False)
    return found.sources if len(found.sources) > 1 else good


def _headers(sources: Sequence[Source]) -> list[Listed]:
    """Each image's header; of a file that holds very many, the first one's for all."""
    from hounsfield import formats
    from hounsfield.errors import HounsfieldError

    listed: list[Listed] = []
    for number, source in enumerate(sources, 1):
        before = listed[-1] if listed and len(sources) > MOST else None
        if before is not None and source.files == before.source.files and source.known is None:
            listed.append(Listed(number, source, before.header, before.fault))
            continue
        try:
            listed.append(Listed(number, source, formats.header(source)))
        except HounsfieldError as error:
            listed.append(Listed(number, source, fault=error))
    return listed


def _table(listed: Sequence[Listed], folder: Path, out: Console, *, phi: bool) -> None:
    """A line an image; columns that say nothing are left out."""
    from rich.text import Text

    rows = {one.number: _cells(one, folder, phi=phi) for one in listed if one.header is not None}
    used = [i for i in range(len(COLUMNS)) if any(cells[i] for cells in rows.values())]
    widths = [max(len(cells[i]) for cells in (*rows.values(), COLUMNS)) for i in used]
    if rows:
        out.print(Text(_line([COLUMNS[i] for i in used], widths), style="bold"))
    for one in listed:
        if one.number in rows:
            out.print(Text(_line([rows[one.number][i] for i in used], widths)))
        else:
            _fault(one, folder, out, phi=phi)
    if not phi and any(_where(one.source, folder, phi=phi) == HIDDEN for one in listed):
        out.print(HIDDEN_TOLD, style="dim", markup=False)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if i == 0 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()


def _cells(one: Listed, folder: Path, *, phi: bool) -> list[str]:
    from hounsfield.cli.info_words import channels_of, size_of, spacing_of, units_of
    from hounsfield.geometry import Patient

    header = one.header
    assert header is not None
    geometry = header.geometry
    return [
        str(one.number),
        f"{header.format} {header.modality or ''}".rstrip(),
        "" if header.facts.series is None else str(header.facts.series),
        size_of(header),
        spacing_of(geometry),
        _orientation(geometry) if isinstance(geometry, Patient) else "",
        units_of(header),
        channels_of(header, phi=phi) or "",
        f"{len(one.source.paths):,}",
        _where(one.source, folder, phi=phi),
    ]


def _orientation(geometry: object) -> str:
    """The nearest axes, and whether the grid is not along them."""
    from hounsfield.geometry import Patient
    from hounsfield.reports.planes import OBLIQUE, pose_of

    assert isinstance(geometry, Patient)
    pose = pose_of(geometry)
    words = [geometry.orientation]
    words += ["oblique"] if pose.turned > OBLIQUE else []
    words += ["sheared"] if max(pose.leaning, pose.skewed) > OBLIQUE else []
    return " ".join(words)


def _where(source: Source, folder: Path, *, phi: bool) -> str:
    """The file, or the folder of several, as far as its name says nothing of a person."""
    from hounsfield.catalog import pseudonym

    several_files = len({path.parent for path in source.files}) > 1
    path = Path(source.root) if several_files else source.file
    if len(source.paths) > 1 and not several_files:
        path = source.file.parent
    if not path.is_relative_to(folder):
        return ""
    path = path.relative_to(folder)
    if not phi and not pseudonym.plain_path(path):
        return HIDDEN
    member = source.member if source.member and (phi or pseudonym.plain(source.member)) else ""
    return "" if path == Path() else path.as_posix() + (f"#{member}" if member else "")


def _fault(one: Listed, folder: Path, out: Console, *, phi: bool) -> None:
    from rich.text import Text

    assert one.fault is not None
    where = _where(one.source, folder, phi=phi)
    files = f"{len(one.source.paths):,} files" if len(one.source.paths) > 1 else ""
    told = " ".join(filter(None, (files, where)))
    out.print(Text(f"{one.number}  {one.fault.problem}" + f"; {told}" * bool(told), style="red"))
    if one.fault.remedy:
        out.print(Text(f"   {one.fault.remedy}", style="dim"))


def _counts(listed: Sequence[Listed], out: Console) -> None:
    """How many there are of each kind."""
    kinds = Counter(
        f"{one.header.format} {one.header.modality or ''}".rstrip()
        for one in listed
        if one.header is not None
    )
    for kind, count in kinds.most_common():
        out.print(f"{count:>8,}  {kind}", markup=False)


def _others(found: Contents, out: Console) -> None:
    """Files that are no images, and with which nothing is wrong."""
    from hounsfield import formats

    kinds: Counter[str] = Counter()
    for file, error in found.others:
        unknown = error.problem == formats.NO_IMAGE
        kinds[(file.suffix or "no suffix") if unknown else error.problem] += 1
    if kinds:
        named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5))
        out.print(f"{kinds.total():>8,}  no images ({named})", markup=False)


def _unreadable(
    found: Contents, faults: Sequence[Listed], folder: Path, out: Console, *, phi: bool
) -> None:
    """Files and images that cannot be read, each with the reason."""
    from rich.text import Text

    from hounsfield.catalog import pseudonym

    told = [f"#{one.number}: {one.fault.problem}" for one in faults if one.fault is not None]
    for file, error in found.bad:
        name = file.relative_to(folder)
        plain = phi or pseudonym.plain_path(name)
        shown = name.as_posix() if plain else "(name hidden, --phi shows it)"
        told.append(f"{shown}: {error.problem}")
    if told:
        out.print(Text(f"{len(told):>8,}  unreadable", style="red"))
    for line in told[:_SHOWN]:
        out.print(Text(f"          {line}", style="red"))
    if len(told) > _SHOWN:
        out.print(f"          and {len(told) - _SHOWN:,} more", markup=False)


def several(found: Sequence[Source], out: Console) -> None:
    """A file of many images: each, or the first of each stack of pictures."""
    from hounsfield import formats
    from hounsfield.errors import HounsfieldError

    stacks: dict[str, list[Source]] = {}
    for source in found:
        stack = (source.member or "").rpartition("/")[0]
        name = stack or (source.member or "images" if len(found) <= MOST else "images")
        stacks.setdefault(name, []).append(source)
    out.print(f"{len(found)} images", markup=False)
    for name, sources in stacks.items():
        try:
            header = formats.header(sources[0])
        except HounsfieldError as error:
            out.print(f"{name}: {error.problem}", style="red", markup=False)
            continue
        c, z, y, x = header.shape
        told = f"{name}: {len(sources)} of {c}×{z}×{y}×{x} {header.dtype}; name one: {sources[0]}"
        out.print(told, markup=False)
