"""Slices that lie in files of their own become one image: DICOM series, before ids are given.

Files of one series are put together by their headers (`formats.dicom.series`). Slices that the
data set labels one by one, or tells apart in its own table, stay single images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hounsfield.catalog import link
from hounsfield.catalog.enlist import COLUMN, Listed
from hounsfield.catalog.examine import DIGEST, SCHEMA, described
from hounsfield.formats.contract import Source

COPY = "a second copy of a slice in another file"
_SAID = ("source", "patient", "known", "part", "case", "channel")  # what slices must agree in


@dataclass(frozen=True, eq=False)
class _Slice:
    """A file that may be a slice: its row, where it is, and its bytes' hash."""

    row: int
    root: str
    path: str
    size: int
    changed: int
    hash: str
    series: str


@dataclass(frozen=True, eq=False)
class Joined:
    """The images, with volumes in place of their slices; `parts` are the slices' own rows."""

    listed: Listed
    found: pl.DataFrame
    parts: pl.DataFrame  # what the link keeps of each file that is now part of an image


def join_slices(
    listed: Listed, found: pl.DataFrame, seen: pl.DataFrame, workers: int | None
) -> Joined:
    """Volumes in place of the slices they are made of.

    `seen` is what the last index knew: a volume whose files did not change is not read again.
    """
    groups = list(_series(listed, found))
    past, torn = _Past.of(seen), _torn(listed, found)
    with ThreadPoolExecutor(workers or None, "volumes") as pool:
        made = list(pool.map(lambda group: list(_volumes(group, past, torn)), groups))
    volumes = [volume for some in made for volume in some]
    if not volumes:
        return Joined(listed, found, pl.DataFrame())
    again = [row for group, some in zip(groups, made, strict=True) for row in _copies(group, some)]
    told = pl.when(pl.col("row").is_in(again)).then(pl.lit(COPY)).otherwise("reason")
    return _replaced(listed, found.with_columns(reason=told), volumes)


def _copies(group: Sequence[_Slice], volumes: Sequence[_Volume]) -> list[int]:
    """The rows of files that are, byte by byte, slices of a volume that it has already."""
    inner = {one.row for volume in volumes for one in volume.slices}
    hashes = {one.hash for one in group if one.row in inner}
    return [one.row for one in group if one.row not in inner and one.hash in hashes]


def _series(listed: Listed, found: pl.DataFrame) -> Iterator[list[_Slice]]:
    """The files of each series of which the data set says the same."""
    own = [name for name in listed.entries.columns if name.startswith(COLUMN)]
    alone = pl.col("member").is_null() & pl.col("frames").is_null()
    files = listed.entries.filter(alone, pl.col("paths").list.len() == 1)
    series = found.filter(
        pl.col("reason").is_null(),
        pl.col("format") == "dicom",
        pl.col("file_series").is_not_null(),
    ).select("row", "file_study", "file_series", "hash")
    keys = ["root", "file_study", "file_series", *_SAID, *own, "labels"]
    table = (
        files.select("row", "size", "changed", "root", *_SAID, *own, path=pl.col("paths").list[0])
        .join(series, on="row", maintain_order="left")
        .join(_labelled(listed.labels), on="row", how="left", maintain_order="left")
        .filter(~pl.col("local").fill_null(False))
        .filter(pl.len().over(keys) > 1)  # most files of a large set are no slices
    )
    columns = ("row", "root", "path", "size", "changed", "hash", "file_series")
    for group in table.partition_by(keys, maintain_order=True):
        yield [_Slice(*row) for row in group.select(columns).iter_rows()]


def _labelled(labels: pl.DataFrame) -> pl.DataFrame:
    """What each row's labels say, as one text; `local` ones lie at a place in their slice."""
    said = ("kind", "name", "label", "value", "reader")
    texts = pl.concat_str(
        (pl.col(name).cast(pl.String).fill_null("") for name in said), separator="\x1f"
    )
    local = pl.col("box").is_not_null() | pl.col("mask_root").is_not_null()
    return labels.group_by("row").agg(labels=texts.sort().str.join("\x1e"), local=local.any())


@dataclass(frozen=True, eq=False)
class _Volume:
    """One image of several files, and the row that it takes."""

    slices: Sequence[_Slice]
    found: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Past:
    """What the last index knew: every file as it was, and the volumes by their first file."""

    files: frozenset[tuple[str, str, int, int]]
    volumes: dict[tuple[str, str], list[dict[str, Any]]]

    @classmethod
    def of(cls, seen: pl.DataFrame) -> _Past:
        count = pl.col("paths").list.len()
        single = seen.filter(count == 1).with_columns(path=pl.col("paths").list.first())
        files = frozenset(single.select("root", "path", "size", "changed").iter_rows())
        volumes: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in seen.filter(count > 1, pl.col("hash").is_not_null()).iter_rows(named=True):
            volumes.setdefault((row["root"], row["file_series"]), []).append(row)
        return cls(files, volumes)


def _torn(listed: Listed, found: pl.DataFrame) -> dict[Path, list[Path]]:
    """The files that cannot be read, by their folder: one of them may be a slice that is missed."""
    bad = found.filter(pl.col("reason").is_not_null()).select("row")
    files: dict[Path, list[Path]] = {}
    for root, paths in listed.entries.join(bad, on="row").select("root", "paths").iter_rows():
        file = Path(root, paths[0])
        files.setdefault(file.parent, []).append(file)
    return files


def _volumes(
    group: Sequence[_Slice], past: _Past, torn: dict[Path, list[Path]]
) -> Iterator[_Volume]:
    """The images of one series that have more than one file.

    A damaged slice whose place can be read refuses its volume: left out, it would be a gap.
    """
    from hounsfield.formats.dicom.series import find_all

    by_path = {one.path: one for one in group}
    if all((one.root, one.path, one.size, one.changed) in past.files for one in group):
        before = past.volumes.get((group[0].root, group[0].series), [])
        kept = [row for row in before if all(path in by_path for path in row["paths"])]
        if kept:
            for row in kept:
                found = {name: row[name] for name in SCHEMA if name != "row"}
                yield _Volume([by_path[path] for path in row["paths"]], found)
            return
    root = Path(group[0].root)
    files = [root / one.path for one in group]
    near = [
        file for folder in dict.fromkeys(f.parent for f in files) for file in torn.get(folder, [])
    ]
    for source in find_all([*files, *near])[0]:
        inside = [file.relative_to(root).as_posix() for file in source.files]
        slices = [by_path[path] for path in inside if path in by_path]
        if len(inside) > 1 and slices:
            yield _Volume(slices, _found(slices, source))


def _found(slices: Sequence[_Slice], source: Source) -> dict[str, Any]:
    """What the headers say of a volume; its hash is that of its files' hashes, in any order."""
    together = "".join(sorted(one.hash for one in slices)).encode()
    return {**described(source), "hash": hashlib.sha256(together).hexdigest()[:DIGEST]}


def _replaced(listed: Listed, found: pl.DataFrame, volumes: Sequence[_Volume]) -> Joined:
    """Each volume takes the row of its first file; what was known of the files stays in `parts`."""
    rows = [min(one.row for one in volume.slices) for volume in volumes]
    inner = {one.row for volume in volumes for one in volume.slices}
    gone = sorted(inner - set(rows))
    where = pl.DataFrame(
        {
            "row": rows,
            "paths": [[one.path for one in volume.slices] for volume in volumes],
            "size": [sum(one.size for one in volume.slices) for volume in volumes],
            "changed": [max(one.changed for one in volume.slices) for volume in volumes],
        },
        schema={
            "row": pl.UInt32,
            "paths": pl.List(pl.String),
            "size": pl.Int64,
            "changed": pl.Int64,
        },
    )
    parts = listed.entries.filter(pl.col("row").is_in(sorted(inner)))
    parts = parts.select("row", *link.WHERE).join(
        found, on="row", how="left", maintain_order="left"
    )
    entries = listed.entries.filter(~pl.col("row").is_in(gone)).update(where, on="row")
    made = [{"row": row, **volume.found} for row, volume in zip(rows, volumes, strict=True)]
    kept = found.filter(~pl.col("row").is_in(sorted(inner)))
    table = pl.concat([kept, pl.DataFrame(made, schema=SCHEMA)]).sort("row")
    labels = listed.labels.filter(~pl.col("row").is_in(gone))
    return Joined(Listed(entries, labels, listed.numeric), table, parts)
