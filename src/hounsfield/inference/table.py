"""predictions.csv: one row a case, and the plain submission form beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import RunError
from hounsfield.files import whole_file
from hounsfield.tasks.contract import Calibration, Settings, Task

FIRST = ("image", "patient", "split", "label", "prediction")


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of some cases, in the same order as their truths and parts."""

    cases: Sequence[str]
    parts: Sequence[str]  # "train", "val", "test" or "new"
    predictions: Sequence[Any]
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
    own = task.rows(done.predictions, done.truths, calibration, settings)
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
    for case, prediction in zip(done.cases, done.predictions, strict=True):
        task.save(prediction, folder, case)
    short = table.select(id="image", label="prediction")
    _write(short, folder / "submission.csv")
    _write(table, folder / "predictions.csv")
    return folder / "predictions.csv"


def read_predictions(folder: Path) -> pl.DataFrame:
    """The table that `write_predictions` wrote.

    Raises:
        RunError: there is none.
    """
    path = folder / "predictions.csv"
    if not path.exists():
        raise RunError(
            "there are no predictions here",
            file=folder,
            remedy="`hounsfield train --resume RUN` finishes a run",
        )
    text = dict.fromkeys((*FIRST, "unlike"), pl.String)
    table = pl.read_csv(path, schema_overrides=text)
    return table.with_columns(pl.col(pl.String).fill_null(""))


def _write(table: pl.DataFrame, path: Path) -> None:
    with whole_file(path) as file:
        table.write_csv(file)
