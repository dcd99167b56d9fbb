"""A data set as a matrix of features, a row a case (or a patch), for scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hounsfield.errors import HounsfieldError, InputError, StorageError, UsageError
from hounsfield.files import refuse_existing, storage_error
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, catalog_of

if TYPE_CHECKING:
    from hounsfield.catalog import Catalog
    from hounsfield.formats.contract import Source
    from hounsfield.image import Image
    from hounsfield.preprocessing.matrix import Matrix
    from hounsfield.preprocessing.vectorise import Features


MOST_REASONS = 3


@dataclass(frozen=True)
class Vectorised:
    """How many rows and columns were written, and the cases set aside with their reason."""

    path: Path
    rows: int
    columns: int
    aside: tuple[tuple[str, str], ...] = ()


def vectorise(
    data: Data,
    out: Data,
    how: Features,
    *,
    overwrite: bool = False,
    keep_ids: bool = False,
    watch: Watch = SILENT,
) -> Vectorised:
    """Every case's image as features, in the catalog's order; the same bytes each time.

    The file has `X` (rows, features) float32 and, for each row, `id` (the case), `patient` (a
    pseudonym: folds must keep a patient's rows together), `source`, the official `part`, and a
    `label` or `label_NAME` for each annotation; patches have `z`, `y`, `x` too. Images that
    cannot be read, or give another number of features than the first, are set aside.

    Raises:
        UsageError: the file exists, or its suffix is neither .npz nor .parquet.
        InputError: images of several sizes where pixels are asked for without one, or no image.
    """
    from hounsfield.preprocessing.matrix import Matrix, refuse_suffix
    from hounsfield.preprocessing.vectorise import Patches

    out = Path(out)
    refuse_suffix(out)
    refuse_existing((out,), overwrite=overwrite)
    catalog = catalog_of([data], beside_run(out.with_suffix("")), watch, keep_ids=keep_ids)
    _refuse_sizes(catalog, how)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            TemporaryDirectory(prefix=f".{out.stem}-", dir=out.parent) as scratch,
            watch.stage("vectorise"),
        ):
            matrix = Matrix(Path(scratch))
            try:
                aside = _filled(matrix, catalog, how, watch)
                _refuse_empty(matrix, aside, out)
                matrix.save(out, _words(catalog), places=isinstance(how, Patches))
            finally:
                matrix.close()
    except OSError as error:
        raise storage_error(error, out) from error
    return Vectorised(out, matrix.height, matrix.width, tuple(aside))


def _filled(matrix: Matrix, catalog: Catalog, how: Features, watch: Watch) -> list[tuple[str, str]]:
    """The cases that could not be added, each with the reason."""
    aside = []
    inputs = catalog.cases["inputs"].to_list()
    names = sorted({one["image"] for case in inputs for one in case})
    sources = dict(zip(names, catalog.sources(names), strict=True))
    wanted = _channels(catalog)
    rows = catalog.cases.select("case", "source").iter_rows()
    for number, ((case, source), images) in enumerate(zip(rows, inputs, strict=True)):
        watch.tell("vectorising", number, len(inputs))
        try:
            channels = [one["channel"] for one in images]
            _refuse_channels(channels, wanted[source])
            image = _read({one["channel"]: sources[one["image"]] for one in images})
            matrix.add(number, *how(image))
        except (StorageError, UsageError):
            raise  # the next case would fare no better
        except HounsfieldError as error:
            aside.append((case, error.problem))
    return aside


def _channels(catalog: Catalog) -> dict[str, set[str]]:
    """The names that the inputs of each source's cases have."""
    import polars as pl

    named = catalog.cases.select("source", "inputs").explode("inputs")
    both = named.select("source", pl.col("inputs").struct.field("channel")).unique()
    found: dict[str, set[str]] = {}
    for source, channel in both.iter_rows():
        found.setdefault(source, set()).add(channel)
    return found


def _refuse_channels(channels: list[str], wanted: set[str]) -> None:
    """A case with fewer columns than the others is none of them; the first must not decide."""
    if len(set(channels)) < len(channels):
        raise InputError("the case has several images under one name")
    if missing := sorted(wanted - set(channels)):
        raise InputError(f"the case lacks {', '.join(missing)}, which others have")


def _refuse_empty(matrix: Matrix, aside: list[tuple[str, str]], out: Path) -> None:
    if not matrix.height:
        reasons = sorted({reason for _, reason in aside})
        raise InputError(
            f"none of {len(aside):,} images gave any features: {'; '.join(reasons[:MOST_REASONS])}",
            file=out,
        )


def _read(sources: dict[str, Source]) -> Image:
    """A case's image; several (contrasts) are stacked on C, if their grids agree."""
    from hounsfield import formats
    from hounsfield.preprocessing.grids import stack

    images = {name: formats.read(source) for name, source in sources.items()}
    return stack(images) if len(images) > 1 else next(iter(images.values()))


def _refuse_sizes(catalog: Catalog, how: Features) -> None:
    from hounsfield.preprocessing.vectorise import Pixels

    several = catalog.images.select("height", "width").n_unique()
    if isinstance(how, Pixels) and how.size is None and several > 1:
        raise InputError(
            f"the images have {several:,} different sizes, so their pixels make no matrix",
            remedy="--size HEIGHT WIDTH resizes them; --features histogram needs no size",
        )


def _words(catalog: Catalog) -> dict[str, list[str | None]]:
    """The columns of words: id, patient, source, part, and a label for each annotation's name."""
    import polars as pl

    cases = catalog.cases
    words: dict[str, list[str | None]] = {
        name: cases[column].to_list()
        for name, column in (
            ("id", "case"),
            ("patient", "patient"),
            ("source", "source"),
            ("part", "part"),
        )
    }
    told = catalog.annotations.filter(pl.col("kind").is_in(["class", "value"])).select(
        "case", "name", label=pl.coalesce("label", pl.col("value").cast(pl.String))
    )
    names = told["name"].unique().sort().to_list()
    for name in names:
        one = (
            told.filter(pl.col("name") == name)
            .group_by("case")
            .agg(pl.col("label").drop_nulls().unique().sort().str.join("|"))
        )
        joined = cases.select("case").join(one, on="case", how="left", maintain_order="left")
        words["label" if len(names) == 1 else f"label_{name}"] = joined["label"].to_list()
    return words
