"""Regression: a number a case, such as bone age or ejection fraction, with its interval.

The interval is split conformal (Vovk et al. 2005; Lei et al., JASA 2018): as wide as the errors
on validation data that the network did not learn from, so that 95 % of new cases like those lie
within it, whatever the network and the distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.tables import CASES, Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.metrics import metric
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.metrics.recalibrate import margin, straightened
from hounsfield.metrics.regression import COVERED, ERROR, NAMES, PREDICTED, TRUTH
from hounsfield.preprocessing.cache import Cache
from hounsfield.tasks.contract import Batch, Calibration, Choosing, TargetStore, Wanted, codes
from hounsfield.tasks.contract import Settings as Base
from hounsfield.tasks.labels import FINDING
from hounsfield.tasks.per_case import PerCase

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hounsfield.models.fusion import Forward, Outputs
    from hounsfield.preprocessing.warp import Warp

STRATA = 4  # quarters of the values, which a split shares out alike
ROUND = (1.0, 2.0, 5.0)


class NumberSettings(Base):
    name: str = Field(description="what is predicted: the name of its values, or a column")
    centre: float = Field(0.0, description="0 for the network: a round number near the median")
    scale: float = Field(1.0, gt=0, description="1 for the network: a round number near the spread")
    loss: Literal["huber", "l1", "mse"] = Field(
        "huber", description="of the error in units of `scale`: squared near 0, absolute beyond 1"
    )


@dataclass(frozen=True, eq=False)
class Numbers:
    """Values (B,) in the network's units."""

    values: Tensor

    def moved(self, warp: Warp) -> Numbers:
        return self

    def to(self, device: torch.device) -> Numbers:
        return Numbers(self.values.to(device))

    def plain(self) -> Tensor:
        return self.values


@dataclass(frozen=True, eq=False)
class NumberStore:
    values: Tensor

    def batch(self, rows: Sequence[int]) -> Numbers:
        return Numbers(self.values[list(rows)])


class Regression(PerCase[float]):
    NAME = "regression"
    ANNOTATIONS = ("value",)
    Settings = NumberSettings
    FIGURES = ("agreement", "subgroups", "mistakes")
    NETWORK = "cnn"
    DIMENSIONS = (2, 3)

    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> NumberSettings:
        name = str(asked.get("name") or target or _first(catalog))
        values = np.array(list(_values(catalog, name).values()))
        if not len(values):
            raise _missing(catalog, name)
        if values.min() == values.max():
            raise InputError(
                f"all {len(values)} values of {name} are {values[0]:g}",
                file=catalog.folder,
                expected="numbers that differ",
                remedy="choose another target with --task.target",
            )
        centre, scale = _units(values)
        found = {"name": name, "scale": scale, "centre": centre}
        return NumberSettings.model_validate(found | dict(asked))

    def strata(self, catalog: Catalog, settings: NumberSettings) -> list[str]:
        """The quarter of the values that each case is in, "Q1: 12 to 40"."""
        truths = self.truths(catalog, settings)
        known = np.array([one for one in truths if one is not None])
        if not len(known):
            return [""] * len(truths)
        edges = np.unique(np.quantile(known, np.linspace(0, 1, STRATA + 1)))
        ends = enumerate(pairwise(edges.tolist()), start=1)
        names = [f"Q{n}: {low:.4g} to {high:.4g}" for n, (low, high) in ends] or ["all"]
        return ["" if truth is None else names[_bin(edges, truth)] for truth in truths]

    def truths(self, catalog: Catalog, settings: NumberSettings) -> list[float | None]:
        """The number of each case, the mean of several readers'; None where there is none."""
        known = _values(catalog, settings.name)
        return [known.get(case) for case in catalog.cases["case"]]

    def choose(self, choosing: Choosing, settings: NumberSettings) -> list[Choice]:
        if settings.name in choosing.asked.get("model.table", ()):
            raise UsageError(
                f"{settings.name} is what is predicted, and model.table gives it to the network",
                remedy="leave it out of --model.table",
            )
        why = "a round number near the {} of all values, until the training part is measured"
        return [
            Choice("task.target", settings.name, "the first that has numbers"),
            Choice("task.settings.centre", settings.centre, why.format("median")),
            Choice("task.settings.scale", settings.scale, why.format("spread")),
            Choice("training.balance", "none", "numbers have no rare class"),
        ]

    def measured(self, training: Catalog, settings: NumberSettings) -> Iterator[Choice]:
        values = np.array(list(_values(training, settings.name).values()))
        if not len(values) or values.min() == values.max():
            return
        centre, scale = _units(values)
        why = f"a round number near the {{}} of the {len(values)} training values"
        yield Choice("task.settings.centre", centre, why.format("median"), "measured")
        yield Choice("task.settings.scale", scale, why.format("spread"), "measured")

    def outputs(self, settings: NumberSettings) -> int:
        return 1

    def kind_of_outputs(self, settings: NumberSettings) -> Outputs:
        return "values"

    def output_names(self, settings: NumberSettings) -> tuple[str, ...]:
        return ()

    def targets(
        self, catalog: Catalog, settings: NumberSettings, cache: Cache, cases: Sequence[str]
    ) -> TargetStore:
        import torch

        known = _values(catalog, settings.name)
        values = np.array([known[case] for case in cases], np.float64)
        return NumberStore(torch.as_tensor((values - settings.centre) / settings.scale).float())

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: NumberSettings
    ) -> dict[str, Tensor]:
        from torch.nn import functional as F

        assert isinstance(batch.targets, Numbers)
        found, truth = network(batch.images).float()[:, 0], batch.targets.values
        match settings.loss:
            case "huber":
                return {"loss": F.huber_loss(found, truth)}
            case "l1":
                return {"loss": F.l1_loss(found, truth)}
            case "mse":
                return {"loss": F.mse_loss(found, truth)}

    def predict(self, network: Forward, images: Tensor, settings: NumberSettings) -> list[float]:
        found = network(images)[:, 0].float().cpu().double().numpy()
        return [float(one) for one in settings.centre + settings.scale * found]

    def from_output(self, output: NDArray[np.float64], settings: NumberSettings) -> float:
        return float(settings.centre + settings.scale * output[0])

    def combine(self, predictions: Sequence[float]) -> float:
        return float(np.mean(predictions))

    def calibrate(
        self,
        predictions: Iterable[float],
        truths: Sequence[Any],
        settings: NumberSettings,
        wanted: Wanted,
    ) -> Calibration:
        """A straight line where it helps, and the margin of the prediction interval."""
        found, truth = np.array(list(predictions)), np.array(truths, np.float64)
        line = straightened(found, truth, wanted.temperature)
        half, why = margin(line.residuals)
        return Calibration(
            line=(line.intercept, line.slope), margin=half, reasons=(line.reason, why)
        )

    def rows(
        self,
        predictions: Sequence[float],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: NumberSettings,
    ) -> pl.DataFrame:
        """The prediction, and the ends `low` and `high` of its interval where there is one."""
        intercept, slope = calibration.line
        values = intercept + slope * np.array(predictions, np.float64)
        columns = {"prediction": pl.Series(values, dtype=pl.Float64)}
        if calibration.margin is not None:
            columns["low"] = pl.Series(values - calibration.margin)
            columns["high"] = pl.Series(values + calibration.margin)
        return pl.DataFrame(columns)

    def label(self, truth: Any, settings: NumberSettings) -> str:
        return "" if truth is None else f"{truth:.10g}"

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: NumberSettings) -> Cases:
        truth = np.array(truths, np.float64)
        predicted = _column(table, "prediction")
        low, high = (_column(table, name) for name in ("low", "high"))
        inside = np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))
        error = np.abs(predicted - truth)
        columns = {ERROR: error, COVERED: inside, TRUTH: truth, PREDICTED: predicted}
        return Cases.from_columns(columns, codes(table["patient"].to_list()))

    def uncalibrated(
        self, cases: Cases, calibration: Calibration, settings: NumberSettings
    ) -> Cases | None:
        return None

    def metrics(self, settings: NumberSettings) -> list[Metric]:
        return [metric(name) for name in NAMES]


TASK = Regression()


def _values(catalog: Catalog, name: str) -> dict[str, float]:
    """The number of each case that has one: of its values, its numeric label, or its column."""
    mine = catalog.annotations.filter(
        (pl.col("name") == name) & pl.col("kind").is_in(["value", "class"])
    )
    number = pl.coalesce("value", pl.col("label").cast(pl.Float64, strict=False))
    table = mine.select("case", number=number)
    if not mine.height and name in _numeric(catalog):
        table = catalog.cases.select("case", number=pl.col(name).cast(pl.Float64))
    known = table.filter(pl.col("number").is_finite())
    means = known.group_by("case", maintain_order=True).agg(pl.col("number").mean())
    return dict(means.rows())


def _first(catalog: Catalog) -> str:
    """The first name of values that are not all 0, 1 or -1, or of labels that all are numbers."""
    told = catalog.annotations
    for name, mine in told.filter(pl.col("kind") == "value").group_by("name", maintain_order=True):
        if not set(mine["value"].drop_nulls().drop_nans().unique()) <= FINDING:
            return str(name[0])
    for name, mine in told.filter(pl.col("kind") == "class").group_by("name", maintain_order=True):
        if mine["label"].cast(pl.Float64, strict=False).is_not_null().all():
            return str(name[0])
    raise _missing(catalog, "")


def _missing(catalog: Catalog, name: str) -> InputError | UsageError:
    """No number of this name, or none at all: what there is, and how to bring one."""
    values = catalog.annotations.filter(pl.col("kind") == "value")["name"].unique().to_list()
    known = [*sorted(values), *_numeric(catalog)]
    if name and name not in known and known:
        return UsageError(f"no case has a number {name!r}", remedy=did_you_mean(name, known))
    return InputError(
        f"no case has a number{f' {name!r}' if name else ''}",
        file=catalog.folder,
        expected="a column of numbers in a table beside the images",
        remedy="write `values: [COLUMN]` into columns.yaml beside the table and index again, or "
        f"name one of {', '.join(_numeric(catalog)) or 'its columns'} with --task.target",
    )


def _numeric(catalog: Catalog) -> list[str]:
    """The cases' columns that hold numbers: age, and those of the data set's own table."""
    own = [name for name in catalog.cases.columns if name not in CASES or name == "age"]
    table = catalog.cases
    return [name for name in own if table[name].dtype.is_numeric() and table[name].count()]


def _column(table: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of numbers; NaN where it is empty or there is none."""
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _units(values: NDArray[np.float64]) -> tuple[float, float]:
    """0 and 1 for the network: half a step of the scale is as round as the median need be."""
    scale = _spread(values)
    return round(float(np.median(values)) / (scale / 2)) * (scale / 2), scale


def _spread(values: NDArray[np.float64]) -> float:
    """1, 2 or 5 times a power of ten, the nearest to the values' standard deviation.

    Of the middle half where there is one, so that an outlier does not set the unit.
    """
    wide = float(np.subtract(*np.quantile(values, (0.75, 0.25)))) / 1.349 or float(values.std())
    ten = 10.0 ** np.floor(np.log10(wide))
    steps = [*(ten * one for one in ROUND), 10 * ten]
    return float(f"{min(steps, key=lambda one: abs(np.log(one / wide))):.1g}")


def _bin(edges: NDArray[np.float64], value: float) -> int:
    return int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, max(len(edges) - 2, 0)))
