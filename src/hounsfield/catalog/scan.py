"""The scan: folders of images become a catalog.

Layouts list the images, files are read in parallel and only where they changed, and the tables
are written whole at the end. A file that cannot be used is set aside in `rejected.csv`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from hounsfield.catalog import builtin, destination, layouts, link
from hounsfield.catalog import findings as notes
from hounsfield.catalog.compose import Composed, compose, map_labels
from hounsfield.catalog.enlist import Listed, Place, enlist, passed_over, places
from hounsfield.catalog.examine import SCHEMA, examine
from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.pseudonym import Pseudonyms
from hounsfield.catalog.tables import LINK, Catalog
from hounsfield.catalog.volumes import join_slices
from hounsfield.errors import InputError
from hounsfield.files import whole_file

REJECTED_FILE = "rejected.csv"
REJECTED = {"file": pl.String, "reason": pl.String}
ASIDE = 4096  # files read between two parts that are put aside
Progress = Callable[[str, int, int | None], None]  # what is done, how many, of how many


class IndexSettings(BaseModel):
    """How folders are indexed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: str | None = Field(None, description="the data sets' layout; recognised if not given")
    label_map: Path | None = Field(
        None, description="YAML or CSV: label -> new label, also SOURCE/LABEL; an empty one drops"
    )
    workers: int | None = Field(
        None, ge=0, description="threads that read; as many as cores if not given"
    )
    keep_ids: bool = Field(False, description="keep true names and ids in the tables")
    sources: tuple[str, ...] = Field((), description="what to call each folder in the tables")


@dataclass(frozen=True, eq=False)
class Indexed:
    """What an index made: the catalog, what was noticed, what was set aside, what was read."""

    catalog: Catalog
    findings: tuple[Finding, ...]
    rejected: pl.DataFrame  # file, reason
    unchanged: int
    read: int


def index(
    folders: Sequence[Path],
    out: Path,
    settings: IndexSettings | None = None,
    progress: Progress | None = None,
) -> Indexed:
    """Index folders (or files) into the catalog folder `out`; a second time reads only changes.

    Raises:
        InputError: a folder is missing or empty, no image can be used, a layout's own table is
            wrong, or the label map is; `out` is one of the folders or holds other files.
        StorageError: `out` cannot be written.
    """
    settings, tell = settings or IndexSettings(), progress or (lambda what, done, all: None)
    label_map = read_label_map(settings.label_map) if settings.label_map else {}
    _apart(folders, out)
    destination.check(out, besides=builtin.FILES)
    where = places([Path(folder) for folder in folders], settings.layout, settings.sources)
    seen, key = link.load(out)
    names = replace(Pseudonyms() if key is None else Pseudonyms(key), keep=settings.keep_ids)
    listed = enlist(where, lambda done: tell("listing", done, None))
    known, todo = _known(listed.entries, seen)
    read = _read(todo, out, settings.workers, tell)
    counts = (known.height, todo.height)
    found = pl.concat([known, read]).sort("row")
    del known, todo, read  # a million rows are worth it
    joined = join_slices(listed, found, seen, settings.workers)
    listed, found, parts = joined.listed, joined.found, joined.parts
    del seen, joined
    good, bad = _sorted_out(listed, found, where)
    aside = _told(bad, where)
    _usable(listed, good, aside, where)
    labels, said = map_labels(listed.labels, listed.entries, label_map)
    made = compose(replace(listed, labels=labels), good, names)
    said += made.findings + _noticed(made.catalog, aside, out, names)
    said += [one for place in where for one in layouts.noticed(place.layout, place.root)]
    rejected = _rejected(aside, where, names)
    table = pl.concat([_link(listed, found, made, bad, names), *_kept(parts)])
    _save(out, made, table, names, rejected, said)
    catalog = replace(made.catalog, folder=out)
    return Indexed(catalog, tuple(said), rejected, *counts)


def _apart(folders: Sequence[Path], out: Path) -> None:
    """Refuse to write the catalog among the images: the next index would take it for data."""
    if any(Path(folder).resolve() == out.resolve() for folder in folders):
        raise InputError(
            "the catalog would be written into the folder that is indexed",
            file=out,
            remedy="give another folder with --out, e.g. one beside it or a new one in it",
        )


def _known(entries: pl.DataFrame, seen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is known of files that did not change, and the entries whose files must be read."""
    keys = [*link.WHERE]
    there = entries.filter(pl.col("reason").is_null()).select("row", *keys)
    past = seen.filter(pl.col("hash").is_not_null()).unique(keys, keep="last")
    if past.is_empty():
        return pl.DataFrame(schema=SCHEMA), there
    both = there.join(past, on=keys, how="left", nulls_equal=True, maintain_order="left")
    hit = pl.col("hash").is_not_null()
    return both.filter(hit).select(*SCHEMA), both.filter(~hit).select("row", *keys)


def _read(todo: pl.DataFrame, out: Path, workers: int | None, tell: Progress) -> pl.DataFrame:
    """What the files say; put aside in parts, so that an interrupted index goes on."""
    frames, waiting, done = [pl.DataFrame(schema=SCHEMA)], [pl.DataFrame(schema=SCHEMA)], 0

    def put_aside() -> None:
        read = pl.concat(waiting, rechunk=True)  # many small tables take much memory
        frames.append(read)
        waiting[1:] = []
        where = read.join(todo, on="row").with_columns(image=pl.lit(None, pl.String))
        link.put_aside(where, out)

    try:
        for frame in examine(todo, workers):
            waiting.append(frame)
            done += frame.height
            tell("reading", done, todo.height)
            if sum(part.height for part in waiting) >= ASIDE:
                put_aside()
    except KeyboardInterrupt:
        put_aside()
        raise
    return pl.concat([*frames, *waiting], rechunk=True)


def _sorted_out(
    listed: Listed, found: pl.DataFrame, where: Sequence[Place]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that can be used, and what cannot: row, source, file and reason."""
    inner = pl.col("paths").list.first()
    entries = listed.entries.select("row", "source", "name", "reason", file=_file(), whole=inner)
    missing = entries.filter(pl.col("reason").is_not_null())
    faulty = found.filter(pl.col("reason").is_not_null()).select("row", "reason")
    faulty = entries.drop("reason").join(faulty, on="row", maintain_order="left")
    good = found.filter(pl.col("reason").is_null())
    twice = entries.drop("reason").join(good.select("row"), on="row", maintain_order="left")
    twice = twice.filter(~pl.struct("source", "name").is_first_distinct()).with_columns(
        reason=pl.lit("another image of this data set has the same name")
    )
    masks = (
        listed.labels.filter(pl.col("mask_reason").is_not_null())
        .join(entries.select("row", "source"), on="row", maintain_order="left")
        .select("source", file=_file("mask_"), reason=pl.format("mask: {}", "mask_reason"))
    )
    closed = [(place.source, *one) for place in where for one in passed_over(place.root)]
    columns = dict.fromkeys(("source", "file", "reason"), pl.String)
    folders = pl.DataFrame(closed, schema=columns, orient="row")
    bad = pl.concat([missing, faulty, twice, masks, folders], how="diagonal").sort(
        "row", nulls_last=True, maintain_order=True
    )
    return good.join(twice, on="row", how="anti", maintain_order="left"), bad


def _told(bad: pl.DataFrame, where: Sequence[Place]) -> pl.DataFrame:
    """What is said of it: what one row of a data set's own table names is told once, by that."""
    if bad.is_empty():
        return bad
    rows = {place.source: layouts.table_rows(place.layout, place.root) for place in where}
    lines = [rows[source].get(name) for source, name in bad.select("source", "name").iter_rows()]
    told = bad.with_columns(line=pl.Series(lines, dtype=pl.Int64))
    by_row = pl.col("line").is_not_null()
    samples = pl.when(pl.len() > 1).then(pl.format(" ({} samples)", pl.len())).otherwise(pl.lit(""))
    grouped = (
        told.filter(by_row)
        .group_by("source", "line", file="whole", maintain_order=True)
        .agg(pl.col("reason").first(), samples=samples)
        .with_columns(reason=pl.format("row {} of the table: {}{}", "line", "reason", "samples"))
    )
    return pl.concat([grouped, told.filter(~by_row)], how="diagonal")


def _file(prefix: str = "") -> pl.Expr:
    """A file, and the member in it, relative to its root."""
    member = pl.col(f"{prefix}member")
    path = pl.col(f"{prefix}paths").list.first()
    return pl.when(member.is_null()).then(path).otherwise(pl.format("{}#{}", path, member))


def _usable(listed: Listed, good: pl.DataFrame, bad: pl.DataFrame, where: Sequence[Place]) -> None:
    """Refuse where there is nothing to index."""
    if good.height:
        return
    root = where[0].root if len(where) == 1 else None
    if listed.entries.is_empty():
        raise InputError(
            "there is no image",
            file=root,
            expected=f"images as the layout {where[0].layout!r} has them",
            remedy="check the path, or name the layout (`hounsfield layouts`) with --layout",
        )
    reasons = bad["reason"].value_counts(sort=True).head(3)
    text = "; ".join(f"{count} × {reason}" for reason, count in reasons.iter_rows())
    raise InputError(
        f"none of the {counted(listed.entries.height, 'image')} can be used ({text})",
        file=root,
        remedy="`hounsfield info FILE` says more about one of them",
    )


def _noticed(catalog: Catalog, bad: pl.DataFrame, out: Path, names: Pseudonyms) -> list[Finding]:
    found = []
    if bad.height:
        reason, count = bad["reason"].value_counts(sort=True).row(0)
        aside = "1 file was" if bad.height == 1 else f"{bad.height:,} files were"
        why = reason if count == bad.height else f"{count:,} × {reason}, and others"
        found.append(
            Finding(
                kind="rejected",
                severity="warning",
                text=f"{aside} set aside: {why}; {out / REJECTED_FILE} lists each",
                remedy="`hounsfield info FILE` says more about one of them"
                if names.keep
                else "names that may be people's are hidden there: `hounsfield info FOLDER --phi` "
                "shows those that cannot be read, an index with --keep-ids into another --out all",
            )
        )
    if catalog.annotations.is_empty():
        found.append(
            Finding(
                kind="no-labels",
                severity="info",
                text="no image has a label: the catalog serves prediction, not training",
                remedy="put the images into one folder a class, or give a CSV with a label column",
            )
        )
    return found


def _rejected(bad: pl.DataFrame, where: Sequence[Place], names: Pseudonyms) -> pl.DataFrame:
    files = [names.path(file) for file in bad["file"]]
    table = bad.select("source", "reason").with_columns(file=pl.Series(files, dtype=pl.String))
    if len(where) > 1:
        table = table.with_columns(file=pl.format("{}:{}", "source", "file"))
    return table.select(*REJECTED)


def _link(
    listed: Listed, found: pl.DataFrame, made: Composed, bad: pl.DataFrame, names: Pseudonyms
) -> pl.DataFrame:
    """Where everything lies: the images, what was set aside, and the masks."""
    aside = bad.filter(pl.col("row").is_not_null())
    asides = aside.select(
        "row",
        image_aside=pl.Series([names.path(file) for file in aside["file"]], dtype=pl.String),
        why="reason",
    ).unique("row", maintain_order=True)
    rows = (
        listed.entries.select("row", *link.WHERE)
        .join(found.drop("reason"), on="row", how="left", maintain_order="left")
        .join(made.ids, on="row", how="left", maintain_order="left")
        .join(asides, on="row", how="left", maintain_order="left")
        .with_columns(image=pl.coalesce("image", "image_aside"), reason="why")
    )
    table = pl.concat([rows.drop("row", "image_aside", "why"), made.masks], how="diagonal")
    return table.select(pl.col(name).cast(kind) for name, kind in LINK.items())


def _kept(parts: pl.DataFrame) -> list[pl.DataFrame]:
    """What the link keeps of files that are slices of an image, so that they are not read again."""
    if parts.is_empty():
        return []
    table = parts.drop("row").with_columns(image=pl.lit(None, pl.String))
    return [table.select(pl.col(name).cast(kind) for name, kind in LINK.items())]


def _save(
    out: Path,
    made: Composed,
    table: pl.DataFrame,
    names: Pseudonyms,
    rejected: pl.DataFrame,
    said: Sequence[Finding],
) -> None:
    link.save(table, names.key, out)
    made.catalog.save(out)
    with whole_file(out / REJECTED_FILE) as file:
        rejected.write_csv(file)
    notes.save(said, out)


def read_label_map(path: Path) -> Mapping[str, str | None]:
    """A YAML mapping, or a CSV of two columns (old, new), whose first row is their names.

    Raises:
        InputError: missing, or not of this form.
    """
    import yaml

    wanted = "`label: new label` lines in YAML, or a CSV with two columns and a header"
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            rows = [row for row in csv.reader(text.splitlines()) if row][1:]
            pairs = [(old, new) for old, new in rows]
        else:
            pairs = list(yaml.safe_load(text).items())
        if not pairs:
            raise ValueError("an empty map")
    except (OSError, UnicodeDecodeError, ValueError, AttributeError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or "it has another form"
        raise InputError(
            f"the label map cannot be read ({why})",
            file=path,
            expected=wanted,
            remedy="correct the file given with --label-map",
        ) from error
    return {str(old).strip(): None if new in (None, "") else str(new).strip() for old, new in pairs}
