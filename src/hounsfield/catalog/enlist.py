"""What the layouts say, as tables: one row an image, one row a label. Opens no pixels.

Entries come one by one and go into tables a chunk at a time, so that a million of them need no
more memory than the tables. A header and its files of voxels (x.hdr and x.img) are one row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

import polars as pl

from hounsfield import folders
from hounsfield.catalog import layouts
from hounsfield.catalog.layouts.contract import Entry
from hounsfield.catalog.pseudonym import PLACES, plain
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source
from hounsfield.formats.whole import whole

CHUNK = 8192
Types = dict[str, pl.DataType | type[pl.DataType]]
WHERE: Types = {
    "root": pl.String,
    "paths": pl.List(pl.String),
    "member": pl.String,
    "frames": pl.List(pl.Int64),
    "size": pl.Int64,
    "changed": pl.Int64,
    "reason": pl.String,
}
ENTRIES: Types = {
    **WHERE,
    "row": pl.UInt32,
    "source": pl.String,
    "layout": pl.String,
    "trust": pl.Boolean,  # may the header name the patient?
    "name": pl.String,
    "patient": pl.String,
    "known": pl.String,
    "part": pl.String,
    "case": pl.String,
    "channel": pl.String,
}
LABELS: Types = {
    **{f"mask_{name}": kind for name, kind in WHERE.items()},
    "row": pl.UInt32,
    "kind": pl.String,
    "name": pl.String,
    "label": pl.String,
    "value": pl.Float64,
    "box": pl.List(pl.Float64),
    "reader": pl.String,
}
COLUMN = "column:"  # before the names of a data set's own columns


@dataclass(frozen=True)
class Place:
    """One data set to index: where, in which layout, and what its rows call it."""

    root: Path
    layout: str
    source: str


@dataclass(eq=False)
class Listed:
    """All entries and labels of some places, and the columns that hold numbers only."""

    entries: pl.DataFrame
    labels: pl.DataFrame
    numeric: frozenset[str]


def places(roots: Sequence[Path], layout: str | None, names: Sequence[str] = ()) -> list[Place]:
    """The data sets in some folders (or files), each with a name of its own.

    A folder's name is used where it is made of common words ("hospital_b"), else the layout's.

    Raises:
        InputError: a folder is missing or empty.
    """
    found: list[Place] = []
    for number, folder in enumerate(roots):
        root = Path(os.path.abspath(folder))  # noqa: PTH100  # links in the path stay as given
        _check(root)
        kind = layout or layouts.recognise(root)
        stem = root.name if root.is_dir() else root.stem
        word = names[number] if number < len(names) else stem if plain(stem, PLACES) else kind
        taken = {place.source for place in found}
        source = word if word not in taken else _free(word, taken)
        found.append(Place(root, kind, source))
    return found


def _free(word: str, taken: set[str]) -> str:
    return next(name for n in range(2, len(taken) + 3) if (name := f"{word}-{n}") not in taken)


def _check(root: Path) -> None:
    missing = not os.path.exists(root)  # noqa: PTH110  # never raises
    if root.is_dir():
        layouts.refuse_closed(root)
    empty = root.is_dir() and not os.listdir(root)  # noqa: PTH208  # names are enough
    if missing or empty:
        raise InputError(
            "the folder is empty" if empty else "there is no such folder or file",
            file=root,
            expected="a folder with images",
            remedy="check the path; `hounsfield layouts` tells how public data sets look",
        )


def passed_over(root: Path) -> list[tuple[str, str]]:
    """Sub-folders that cannot be listed, links that lead back, pipes; each with the reason."""
    return [(_text(path), reason) for path, reason in folders.passed_over(root)]


def enlist(found: Sequence[Place], progress: Callable[[int], None]) -> Listed:
    """The entries of all places, in the layouts' order; `progress` gets the number so far."""
    entries, labels = [pl.DataFrame(schema=ENTRIES)], [pl.DataFrame(schema=LABELS)]
    columns = _Columns()
    rows = 0
    for place in found:
        module = layouts.load(place.layout)
        trust = bool(getattr(module, "TRUST_HEADER_PATIENT", True))
        for chunk in _chunks(module.entries(place.root)):
            stat = _Stat()
            table = _entries(chunk, rows, stat).with_columns(
                source=pl.lit(place.source), layout=pl.lit(place.layout), trust=pl.lit(trust)
            )
            entries.append(pl.concat([table, columns.of(chunk)], how="horizontal"))
            labels.append(_labels(chunk, rows, stat))
            rows += len(chunk)
            progress(rows)
    table = pl.concat(entries, how="diagonal")
    again = _again(table)
    return Listed(
        table.filter(~pl.col("row").is_in(again)),
        pl.concat(labels, how="diagonal").filter(~pl.col("row").is_in(again)),
        columns.numeric,
    )


def _again(entries: pl.DataFrame) -> list[int]:
    """Rows of files that belong to an image listed by its header, and pairs listed twice."""
    pairs = entries.filter(pl.col("paths").list.len() > 1, pl.col("frames").is_null())
    if pairs.is_empty():
        return []
    voxels = pairs.select("source", "root", path=pl.col("paths").list.slice(1)).explode("path")
    alone = entries.select("row", "source", "root", "member", path=pl.col("paths").list.first())
    alone = alone.filter(~pl.col("row").is_in(pairs["row"].to_list()))
    parts = alone.join(voxels.unique(), on=["source", "root", "path"], how="semi")
    twice = pairs.filter(~pl.struct("source", "root", "paths", "member").is_first_distinct())
    return [*parts["row"], *twice["row"]]


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    stream = iter(entries)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _entries(chunk: Sequence[Entry], first: int, stat: _Stat) -> pl.DataFrame:
    columns: dict[str, list[Any]] = _where([whole(entry.source) for entry in chunk], stat)
    columns["row"] = list(range(first, first + len(chunk)))
    for name in ("name", "patient", "known", "part", "case", "channel"):
        columns[name] = [_text(getattr(entry, name)) for entry in chunk]
    return pl.DataFrame(columns, schema={name: ENTRIES[name] for name in columns})


def _labels(chunk: Sequence[Entry], first: int, stat: _Stat) -> pl.DataFrame:
    pairs = [(first + i, label) for i, entry in enumerate(chunk) for label in entry.labels]
    masks = _where([label.mask and whole(label.mask) for _, label in pairs], stat)
    columns: dict[str, list[Any]] = {f"mask_{name}": values for name, values in masks.items()}
    columns["row"] = [row for row, _ in pairs]
    for name in ("kind", "name", "label", "value", "box", "reader"):
        columns[name] = [_text(getattr(label, name)) for _, label in pairs]
    return pl.DataFrame(columns, schema={name: LABELS[name] for name in columns})


def _where(sources: Sequence[Source | None], stat: _Stat) -> dict[str, list[Any]]:
    states = [(None, None, None) if one is None else stat.of(one) for one in sources]
    return {
        "root": [one and _text(one.root) for one in sources],
        "paths": [one and [_text(path) for path in one.paths] for one in sources],
        "member": [one and one.member for one in sources],
        "frames": [one and one.frames and list(one.frames) for one in sources],
        "size": [state[0] for state in states],
        "changed": [state[1] for state in states],
        "reason": [state[2] for state in states],
    }


def _text(value: Any) -> Any:
    """Texts as a table can hold them: bytes of a file's name that are no UTF-8 become �."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@dataclass(eq=False)
class _Stat:
    """Sizes and times of files; the last one is kept, as thousands may be members of one."""

    last: tuple[str, tuple[str, ...]] | None = None
    state: tuple[int | None, int | None, str | None] = (None, None, None)

    def of(self, source: Source) -> tuple[int | None, int | None, str | None]:
        """Bytes of all files, the time of the last change in ns, and what is wrong."""
        if self.last != (source.root, source.paths):
            self.last, self.state = (source.root, source.paths), self._look(source)
        return self.state

    def _look(self, source: Source) -> tuple[int | None, int | None, str | None]:
        if any(_text(name) != name for name in (source.root, *source.paths)):
            return None, None, "its name is not UTF-8: rename it"
        try:
            states = [file.stat() for file in source.files]
        except FileNotFoundError:
            return None, None, "there is no such file"
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            return None, None, getattr(error, "strerror", None) or "no file can have this name"
        if not all(S_ISREG(s.st_mode) or S_ISDIR(s.st_mode) for s in states):
            return None, None, folders.SPECIAL
        return sum(s.st_size for s in states), max(s.st_mtime_ns for s in states), None


@dataclass(eq=False)
class _Columns:
    """The data sets' own columns, kept as text until it is known which are numbers."""

    seen: set[str] = field(default_factory=set)
    text: set[str] = field(default_factory=set)

    def of(self, chunk: Sequence[Entry]) -> pl.DataFrame:
        names = list(dict.fromkeys(name for entry in chunk for name in entry.columns))
        self.seen.update(names)
        table: dict[str, list[str | None]] = {}
        for name in names:
            values = [entry.columns.get(name) for entry in chunk]
            if any(isinstance(value, str) for value in values):
                self.text.add(name)
            table[COLUMN + name] = [None if one is None else _text(str(one)) for one in values]
        return pl.DataFrame(table, schema=dict.fromkeys(table, pl.String))

    @property
    def numeric(self) -> frozenset[str]:
        return frozenset(self.seen - self.text)
