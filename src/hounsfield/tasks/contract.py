"""What a task is: target, loss, prediction and row. Everything else is written against this.

A task is a module listed in `tasks.TASKS` whose `TASK` has the members of `Task`. Training,
inference, evaluation, report and command line call these and know no task by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.fingerprint import Choice, Fingerprint
from hounsfield.catalog.tables import Catalog, Kind
from hounsfield.formats.contract import Source
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.preprocessing.cache import Cache

if TYPE_CHECKING:
    from torch import Tensor

    from hounsfield.models.fusion import Forward, Outputs
    from hounsfield.preprocessing.contract import Prepared
    from hounsfield.preprocessing.warp import Warp


class Settings(BaseModel):
    """A task's or a network's own numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibration(BaseModel):
    """What is fitted on validation data and applied to every later prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperatures: tuple[float, ...] = (1.0,)  # one, or one a label
    thresholds: tuple[float, ...] = ()  # of calibrated probabilities: one, or one a label
    line: tuple[float, float] = (0.0, 1.0)  # of numbers: intercept and slope
    margin: float | None = None  # of numbers: half the width of the 95 % prediction interval
    reasons: tuple[str, ...] = ()  # how each was found, in words


@dataclass(frozen=True)
class Wanted:
    """What a user asks of the calibration."""

    threshold: str = "youden"  # "youden", "sensitivity:0.95", or a number
    temperature: bool = True


class Targets(Protocol):
    """The truth of a batch on the prepared grid, on one device."""

    def moved(self, warp: Warp) -> Targets:
        """As the images are moved."""
        ...

    def to(self, device: torch_device) -> Targets: ...

    def plain(self) -> Any:
        """As a researcher's own loop wants it: a tensor, or a list of torchvision's dicts."""
        ...


torch_device = Any  # torch.device; torch is imported only by those who need it


class TargetStore(Protocol):
    """The targets of a set of cases; `batch` collates those of some of them."""

    def batch(self, rows: Sequence[int]) -> Targets: ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (B, C, Y, X) or (B, C, Z, Y, X), normalised, and their targets."""

    images: Tensor
    targets: Targets


@dataclass(frozen=True)
class Choosing:
    """What `choose` of tasks and networks sees: the facts, and what the user asked for."""

    fingerprint: Fingerprint
    asked: Mapping[str, Any]  # dotted path -> value


S = TypeVar("S", bound=Settings)
P = TypeVar("P")


class Task(Protocol[S, P]):
    """One kind of thing to learn. `P` is its prediction of one case, a frozen value."""

    NAME: str
    ANNOTATIONS: tuple[Kind, ...]  # the kinds of annotation that it learns from
    Settings: type[S]
    FIGURES: tuple[str, ...]  # names of `reports.figures`, in the report's order
    NETWORK: str  # the default network's name, "cnn" or "package.module:build"
    DIMENSIONS: tuple[int, ...]  # (2,) where it learns from pictures alone, (2, 3) also volumes

    # From the catalog
    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> S:
        """The settings that the annotations imply, e.g. the classes.

        Raises:
            InputError: nothing is annotated, or nothing can be learned from it (one class).
        """
        ...

    def strata(self, catalog: Catalog, settings: S) -> list[str]:
        """What a split is stratified by and rare cases are told by, one for each case."""
        ...

    def truths(self, catalog: Catalog, settings: S) -> list[Any]:
        """The truth of each case on its original grid; None where a case has none."""
        ...

    def masks(self, catalog: Catalog, settings: S) -> list[Source | None]:
        """The label map that is prepared with each case's image; None where it needs none."""
        ...

    def choose(self, choosing: Choosing, settings: S) -> list[Choice]:
        """The plan's values that this task has an opinion on."""
        ...

    def measured(self, training: Catalog, settings: S) -> Iterable[Choice]:
        """Settings that are measured on the training part alone; most tasks have none."""
        ...

    # Training
    def outputs(self, settings: S) -> int:
        """How many output channels the network needs."""
        ...

    def kind_of_outputs(self, settings: S) -> Outputs:
        """How outputs of several networks are summed."""
        ...

    def output_names(self, settings: S) -> tuple[str, ...]:
        """The stratum of each output, where rare ones can be weighed in the loss; else none."""
        ...

    def targets(
        self, catalog: Catalog, settings: S, cache: Cache, cases: Sequence[str]
    ) -> TargetStore: ...

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: S
    ) -> dict[str, Tensor]:
        """Scalars whose sum is minimised; `weights` (strata,) weigh rare strata."""
        ...

    # Prediction
    def predict(self, network: Forward, images: Tensor, settings: S) -> list[P]: ...

    def mirrored(self, prediction: P, width: int) -> P:
        """The prediction of a mirrored image, mirrored back."""
        ...

    def combine(self, predictions: Sequence[P]) -> P:
        """One prediction from several of the same case: members, mirrored views."""
        ...

    def restore(self, prediction: P, prepared: Prepared) -> P:
        """From the prepared grid to the original image's."""
        ...

    def calibrate(
        self, predictions: Iterable[P], truths: Sequence[Any], settings: S, wanted: Wanted
    ) -> Calibration:
        """Predictions are made as they are asked for; large ones that are not needed, never."""
        ...

    def rows(
        self,
        predictions: Sequence[P],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: S,
    ) -> pl.DataFrame:
        """The task's columns of predictions.csv: prediction, p_CLASS…, or scores; a row each.

        A truth may be None: the case is not annotated.
        """
        ...

    def save(self, prediction: P, folder: Path, case: str) -> None:
        """Files beside predictions.csv (a mask); many tasks have none."""
        ...

    # Evaluation
    def label(self, truth: Any, settings: S) -> str:
        """The truth as predictions.csv shows it; empty where there is none."""
        ...

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: S) -> Cases:
        """What metrics see, from predictions.csv alone."""
        ...

    def uncalibrated(self, cases: Cases, calibration: Calibration, settings: S) -> Cases | None:
        """The cases as they were before the temperature; None for a task that has none."""
        ...

    def metrics(self, settings: S) -> list[Metric]:
        """The first is the headline, and what training watches."""
        ...


@runtime_checkable
class Exportable(Protocol):
    """A task that a bundle can hold: a case's prediction is the network's output, made numbers.

    Members and views are averaged before, in the exported graph, and mirroring changes nothing:
    `combine` is a mean, and `restore` and `mirrored` give what they get. Of such a task nothing
    that predicts (`truths`, `from_output`, `rows`, `save`, `label`) may import torch.
    """

    def from_output(self, output: NDArray[np.float64], settings: Any) -> Any:
        """The prediction of one case from its outputs (K,)."""
        ...


def codes(names: Sequence[str]) -> NDArray[np.int64]:
    """Numbers for names, by their sorted order."""
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)
