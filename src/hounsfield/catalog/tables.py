"""The catalog: three tables, and the link that alone knows files and true identities.

`images`, `cases` and `annotations` hold pseudonyms and facts, no path and no identity, so they
can be copied into a run. Where each image lies stands in `link.parquet` (mode 0600), together
with the key of the pseudonyms; it stays with the catalog, outside every run.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, Self

import polars as pl

from hounsfield.catalog.findings import counted
from hounsfield.errors import InputError
from hounsfield.files import whole_path
from hounsfield.formats.contract import Source

Known = Literal["given", "mapped", "guessed", "unknown"]  # how a patient is known
Kind = Literal["class", "value", "mask", "box", "interval", "point"]
Part = Literal["train", "val", "test"]

IMAGES: dict[str, pl.DataType | type[pl.DataType]] = {
    "image": pl.String,
    "patient": pl.String,
    "patient_known": pl.String,
    "study": pl.String,
    "series": pl.String,
    "modality": pl.String,
    "format": pl.String,
    "channels": pl.Int32,
    "depth": pl.Int32,
    "height": pl.Int32,
    "width": pl.Int32,
    "spacing": pl.List(pl.Float64),  # x, y(, z) in mm; null where unknown
    "hash": pl.String,  # of the file's bytes (of the array for a member of an .npz)
    "source": pl.String,  # the data set it came with
    "sex": pl.String,
    "age": pl.Float64,  # years
    "view": pl.String,
    "body_part": pl.String,
    "manufacturer": pl.String,
    "model": pl.String,
}
CASES: dict[str, pl.DataType | type[pl.DataType]] = {
    "case": pl.String,
    "patient": pl.String,
    "patient_known": pl.String,
    "inputs": pl.List(pl.Struct({"channel": pl.String, "image": pl.String})),
    "source": pl.String,
    "part": pl.String,  # the data set's official part, or null
    "sex": pl.String,
    "age": pl.Float64,
    "view": pl.String,
    # further columns of the data set's own table follow
}
ANNOTATIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "case": pl.String,
    "kind": pl.String,
    "name": pl.String,  # what is annotated: "pneumonia", "finding", "lung"
    "label": pl.String,  # the class, of a case, a box or a mask
    "value": pl.Float64,
    "box": pl.List(pl.Float64),  # x0, y0, x1, y1 in pixels of the stored picture, half open
    "mask": pl.String,  # an image in the link, a label map on the case's grid
    "reader": pl.String,
    "time": pl.Float64,
}
# The link also keeps what was read from each file, so that a second index reads only changes.
LINK: dict[str, pl.DataType | type[pl.DataType]] = {
    "image": pl.String,
    "root": pl.String,
    "paths": pl.List(pl.String),
    "member": pl.String,
    "frames": pl.List(pl.Int64),
    "size": pl.Int64,
    "changed": pl.Int64,  # st_mtime_ns, for the incremental index
    "reason": pl.String,  # why the file was set aside; null for a good one
    "file_patient": pl.String,  # the header's true identities
    "file_study": pl.String,
    "file_series": pl.String,
    "modality": pl.String,
    "format": pl.String,
    "channels": pl.Int32,
    "depth": pl.Int32,
    "height": pl.Int32,
    "width": pl.Int32,
    "spacing": pl.List(pl.Float64),
    "hash": pl.String,
    "sex": pl.String,
    "age": pl.Float64,
    "view": pl.String,
    "body_part": pl.String,
    "manufacturer": pl.String,
    "model": pl.String,
}
TABLES = {"images": IMAGES, "cases": CASES, "annotations": ANNOTATIONS}
LINK_FILE = "link.parquet"


@dataclass(frozen=True, eq=False)
class Catalog:
    """The three tables of a data set; `folder` is where the link lies, if it is known.

    Rows keep the order of the layout (sorted by path), which no pseudonym changes: whatever
    shuffles or seeds, does so by row number.
    """

    images: pl.DataFrame
    cases: pl.DataFrame
    annotations: pl.DataFrame
    folder: Path | None = None

    @classmethod
    def load(cls, folder: str | Path, *, link: Path | None = None) -> Self:
        """The catalog in a folder; `link` is the folder of its link where that is another.

        Raises:
            InputError: a table is missing, does not have its columns, or is of another snapshot.
        """
        folder = Path(folder)
        tables = [_read(folder / f"{name}.parquet", schema) for name, schema in TABLES.items()]
        paths = [folder / f"{name}.parquet" for name in TABLES]
        if len({pl.read_parquet_metadata(path).get("snapshot") for path in paths}) > 1:
            raise InputError(
                "the tables do not belong together: indexing was interrupted while it wrote them",
                file=folder,
                remedy="index the folder again; what it has read is not read again",
            )
        return cls(tables[0], tables[1], tables[2], link or folder)

    def save(self, folder: str | Path) -> None:
        """Write the three tables (not the link), each whole or not at all."""
        stamp = {"snapshot": secrets.token_hex(8)}
        for name in TABLES:
            write_whole(getattr(self, name), Path(folder) / f"{name}.parquet", stamp)

    def select(self, cases: Sequence[str]) -> Self:
        """The same catalog with these cases only, in the catalog's order."""
        kept = self.cases.filter(pl.col("case").is_in(list(cases)))
        used: list[str] = kept["inputs"].explode().struct.field("image").to_list()
        return type(self)(
            self.images.filter(pl.col("image").is_in(used)),
            kept,
            self.annotations.filter(pl.col("case").is_in(kept["case"].to_list())),
            self.folder,
        )

    def sources(self, images: Sequence[str]) -> list[Source]:
        """Where images (or masks) lie, in the order asked for.

        Raises:
            InputError: the link is gone, or does not know an image.
        """
        if self.folder is None or not (self.folder / LINK_FILE).exists():
            raise InputError(
                "the catalog's link to its files is gone",
                file=self.folder,
                remedy="index the folder again into the same catalog folder",
            )
        link = pl.scan_parquet(self.folder / LINK_FILE).filter(pl.col("image").is_in(list(images)))
        known = {row["image"]: row for row in link.collect().iter_rows(named=True)}
        missing = [image for image in images if image not in known]
        if missing:
            raise InputError(
                f"{counted(len(missing), 'image')} unknown to the catalog's link, "
                f"e.g. {missing[0]}",
                file=self.folder / LINK_FILE,
                remedy="index the folder again",
            )
        return [_source(known[image]) for image in images]

    def __repr__(self) -> str:
        images, cases = counted(self.images.height, "image"), counted(self.cases.height, "case")
        patients = counted(self.cases["patient"].n_unique(), "patient")
        annotations = counted(self.annotations.height, "annotation")
        return f"Catalog({images}, {cases} of {patients}, {annotations})"


def write_whole(
    table: pl.DataFrame,
    path: Path,
    metadata: dict[str, str] | None = None,
    *,
    private: bool = False,
) -> None:
    """Write a Parquet table whole or not at all; a private one is its owner's alone (0600).

    Raises:
        StorageError: no permission, or the disk is full.
    """
    with whole_path(path, private=private) as part:
        try:
            table.write_parquet(part, metadata=metadata or {})
        except pl.exceptions.ComputeError:  # hides what the disk says; plain writing tells it
            whole = BytesIO()
            table.write_parquet(whole, metadata=metadata or {})
            part.write_bytes(whole.getbuffer())


def _source(row: dict[str, object]) -> Source:
    frames = row["frames"]
    return Source(
        str(row["root"]),
        tuple(row["paths"]),  # type: ignore[arg-type]  # polars gives a list of str
        row["member"],  # type: ignore[arg-type]
        tuple(frames) if frames is not None else None,  # type: ignore[arg-type]
    )


def _read(path: Path, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(
            "a table of the catalog is missing",
            file=path,
            remedy="`hounsfield index FOLDER --out CATALOG` makes a catalog",
        )
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"the table cannot be read ({error})", file=path, remedy="index the folder again"
        ) from error
    missing = [name for name in schema if name not in table.columns]
    if missing:
        raise InputError(
            f"the table has no column {missing[0]!r}",
            file=path,
            expected=", ".join(schema),
            remedy="index the folder again",
        )
    return table
