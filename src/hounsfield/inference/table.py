"""predictions.csv: one row a case, and the plain submission form beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import RunError
from hounsfield.files import whole_file
from hounsfield.tasks.contract import Calibration, Settings, Task

CHUNK = 16  # cases whose predictions, perhaps of full size, are in memory together
FIRST = ("image", "patient", "split", "label", "prediction")


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of some cases, in the same order as their truths and parts.

    The predictions are taken once, a few at a time: they may be made as they are asked for.
    """

    cases: Sequence[str]
    parts: Sequence[str]  # "train", "val", "test" or "new"
    predictions: Iterable[Any]
    truths: Sequence[Any]
    unlike: Sequence[str] | None = None


def write_predictions(
    folder: Path,
    done: Predicted,
    catalog: Catalog,
    task: Task[Any, Any],
    settings: Settings,
    calibration: Calibration,
) -> Path:
    """Write predictions.csv, submission.csv and the task's own files; each whole or not at all."""
    predictions = _saved(done, folder, task)
    own = rows_of(predictions, done.truths, task, settings, calibration)
    patients = dict(catalog.cases.select("case", "patient").rows())
    front = pl.DataFrame(
        {
            "image": list(done.cases),
            "patient": [patients[case] for case in done.cases],
            "split": list(done.parts),
            "label": [task.label(truth, settings) for truth in done.truths],
        },
        schema=dict.fromkeys(FIRST[:4], pl.String),
    )
    table = pl.concat([front, own], how="horizontal")
    if done.unlike is not None:
        table = table.with_columns(unlike=pl.Series(list(done.unlike), dtype=pl.String))
    _write(_submission(table, catalog), folder / "submission.csv")
    _write(table, folder / "predictions.csv")
    return folder / "predictions.csv"


def rows_of(
    predictions: Iterable[Any],
    truths: Sequence[Any],
    task: Task[Any, Any],
    settings: Settings,
    calibration: Calibration,
) -> pl.DataFrame:
    """The task's columns of predictions that are made as they are asked for, a few at a time."""
    pairs = zip(predictions, truths, strict=True)
    tables = []
    while chunk := list(islice(pairs, CHUNK)):
        found, known = zip(*chunk, strict=True)
        tables.append(task.rows(found, known, calibration, settings))
    # A chunk without a truth lacks the columns of scores.
    tables = tables or [task.rows((), (), calibration, settings)]
    return pl.concat(tables, how="diagonal_relaxed")


def read_predictions(folder: Path) -> pl.DataFrame:
    """The table that `write_predictions` wrote.

    Raises:
        RunError: there is none, or it is damaged.
    """
    path = folder / "predictions.csv"
    if not path.exists():
        raise RunError(
            "there are no predictions here",
            file=folder,
            remedy="`hounsfield train --resume RUN` finishes a run",
        )
    text = dict.fromkeys((*FIRST, "unlike"), pl.String)
    try:
        whole = path.read_bytes().endswith(b"\n")
        table = pl.read_csv(path, schema_overrides=text)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path) from error
    if not whole or not set(FIRST) <= set(table.columns):
        raise _damaged(path)
    return table.with_columns(pl.col(pl.String).fill_null(""))


def _damaged(path: Path) -> RunError:
    return RunError(
        "the predictions are damaged",
        file=path,
        expected=f"a table with the columns {', '.join(FIRST)}, to its last line",
        remedy="delete the file; `hounsfield train --resume RUN` makes a run's own again",
    )


def _saved(done: Predicted, folder: Path, task: Task[Any, Any]) -> Iterator[Any]:
    """The predictions, each with its own files written."""
    for case, prediction in zip(done.cases, done.predictions, strict=True):
        task.save(prediction, folder, case)
        yield prediction


def _submission(table: pl.DataFrame, catalog: Catalog) -> pl.DataFrame:
    """id and label; of rows of a CSV of pixels as Kaggle's digits want them, counted from 1."""
    short = table.select(id="image", label="prediction")
    rows = short["id"].cast(pl.Int64, strict=False)
    if rows.has_nulls() or set(catalog.images["format"]) != {"pixel-csv"}:
        return short
    return short.select((rows + 1).alias("ImageId"), Label="label")


def _write(table: pl.DataFrame, path: Path) -> None:
    with whole_file(path) as file:
        table.write_csv(file)
