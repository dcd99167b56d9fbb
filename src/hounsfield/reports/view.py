"""Everything that a report is made from, in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.evaluation import Resampling
from hounsfield.evaluation.record import Evaluation
from hounsfield.metrics.contract import Cases
from hounsfield.plan.resolved import Resolved
from hounsfield.plan.schema import Plan
from hounsfield.run import Run


@dataclass(frozen=True, eq=False)
class View:
    """A run, one of its evaluations, and the cases that were evaluated.

    table: predictions.csv (image, patient, split, label, prediction, p_CLASS… calibrated), with
    sex, age, view, source and unlike where they are known. `cases`, `table` and `truths` have one
    row a case, in the same order. before: the probabilities before calibration.
    catalog: of the evaluated data. folder: where the evaluation lies, and its report will.
    """

    run: Run
    evaluation: Evaluation
    cases: Cases
    table: pl.DataFrame
    catalog: Catalog
    truths: Sequence[Any]
    before: Cases | None
    folder: Path

    def __post_init__(self) -> None:
        if self.table.height != len(self.cases):
            raise InputError(
                f"{self.table.height} predictions do not fit {len(self.cases)} cases",
                file=self.folder,
                expected="one row a case, in the same order",
            )

    # Read once: the files of a run do not change while its report is written.

    @cached_property
    def resolved(self) -> Resolved:
        return self.run.resolved

    @cached_property
    def data(self) -> Catalog:
        """The run's own catalog, of all parts."""
        return self.run.catalog

    @cached_property
    def split(self) -> Split:
        return self.run.split

    @property
    def plan(self) -> Plan:
        return self.resolved.plan

    @property
    def resampling(self) -> Resampling:
        return Resampling(self.plan.evaluation.resamples, self.plan.evaluation.seed)

    @property
    def external(self) -> bool:
        """Whether the evaluated data is not a part of the run's own."""
        return self.evaluation.name not in ("train", "val", "test")

    def image_of(self, row: int) -> str:
        """The image that shows a row's case: the row's own, or the case's first input."""
        name = str(self.table["image"][row])
        if self.catalog.images.filter(pl.col("image") == name).height:
            return name
        inputs = self.catalog.cases.filter(pl.col("case") == name)["inputs"].explode()
        return str(inputs.struct.field("image")[0]) if len(inputs) else name
