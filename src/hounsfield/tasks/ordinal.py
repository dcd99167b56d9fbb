"""Grades: classes in an order, such as those of diabetic retinopathy or BI-RADS.

Each of the K - 1 outputs tells, of cases that reach a grade, whether they go beyond it. Their
product falls from grade to grade by construction: CORN (Shi, Cao and Raschka, Pattern Analysis
and Applications 2023, arXiv:2111.08851).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, logit

from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.metrics import metric
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.metrics.temperature import fit_temperature
from hounsfield.preprocessing.cache import Cache
from hounsfield.tasks.contract import Batch, Calibration, Choosing, TargetStore, Wanted, codes
from hounsfield.tasks.contract import Settings as Base
from hounsfield.tasks.per_case import PerCase

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hounsfield.models.fusion import Forward, Outputs
    from hounsfield.preprocessing.warp import Warp

Logits = NDArray[np.float64]  # (K - 1,), the prediction of one case
RARE = 5  # times fewer cases than the commonest grade
OVERALL = ("kappa", "grade_error", "accuracy", "balanced_accuracy", "auroc_from", "mcc")
OF_EACH = ("recall", "precision")


class GradeSettings(Base):
    classes: tuple[str, ...] = Field(min_length=2, description="the grades, from least to most")
    name: str = Field("", description="the annotation that the grades belong to")


@dataclass(frozen=True, eq=False)
class Grades:
    """Grade indices (B,)."""

    values: Tensor

    def moved(self, warp: Warp) -> Grades:
        return self

    def to(self, device: torch.device) -> Grades:
        return Grades(self.values.to(device))

    def plain(self) -> Tensor:
        return self.values


@dataclass(frozen=True, eq=False)
class GradeStore:
    values: Tensor

    def batch(self, rows: Sequence[int]) -> Grades:
        return Grades(self.values[list(rows)])


class Ordinal(PerCase[Logits]):
    NAME = "ordinal"
    ANNOTATIONS = ("class", "value")
    Settings = GradeSettings
    FIGURES = ("confusion", "grades", "reliability", "subgroups", "mistakes")
    NETWORK = "cnn"
    DIMENSIONS = (2, 3)

    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> GradeSettings:
        name = str(asked.get("name") or target or _first(catalog))
        labels = sorted({label for _, label in _rows(catalog, name)})
        if not labels:
            names = _graded(catalog)["name"].unique().sort().to_list()
            raise UsageError(f"nothing is graded as {name!r}", remedy=did_you_mean(name, names))
        known = {"name": name, **asked}
        if "classes" not in known:
            known["classes"] = _by_size(labels, catalog)
        chosen = GradeSettings.model_validate(known)
        unknown = sorted(set(chosen.classes) - set(labels))
        if unknown or len(set(chosen.classes)) < len(chosen.classes):
            raise UsageError(
                f"no case is graded {unknown[0]!r}" if unknown else "a grade is named twice",
                remedy=did_you_mean(unknown[0], labels) if unknown else "name each grade once",
            )
        return chosen

    def strata(self, catalog: Catalog, settings: GradeSettings) -> list[str]:
        return [self.label(truth, settings) for truth in self.truths(catalog, settings)]

    def truths(self, catalog: Catalog, settings: GradeSettings) -> list[int | None]:
        """The grade's index; the first reader's where several graded; None without one."""
        rank = {name: i for i, name in enumerate(settings.classes)}
        known: dict[str, int] = {}
        for case, label in _rows(catalog, settings.name):
            if label in rank:
                known.setdefault(case, rank[label])
        return [known.get(case) for case in catalog.cases["case"]]

    def choose(self, choosing: Choosing, settings: GradeSettings) -> list[Choice]:
        counts = choosing.fingerprint.classes.values()
        rare = max(counts, default=0) > RARE * min(counts, default=0)
        said = f"the rarest grade has {min(counts, default=0)} of {sum(counts)} cases"
        why = f"{said}: it is drawn more often" if rare else "no grade is rare"
        return [
            Choice("task.target", settings.name, "the first that is graded"),
            Choice("training.balance", "sampling" if rare else "none", why),
        ]

    def measured(self, training: Catalog, settings: GradeSettings) -> tuple[Choice, ...]:
        return ()

    def outputs(self, settings: GradeSettings) -> int:
        return len(settings.classes) - 1

    def kind_of_outputs(self, settings: GradeSettings) -> Outputs:
        return "labels"

    def output_names(self, settings: GradeSettings) -> tuple[str, ...]:
        return ()

    def targets(
        self, catalog: Catalog, settings: GradeSettings, cache: Cache, cases: Sequence[str]
    ) -> TargetStore:
        import torch

        truths = dict(zip(catalog.cases["case"], self.truths(catalog, settings), strict=True))
        return GradeStore(torch.as_tensor(np.array([truths[case] for case in cases])))

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: GradeSettings
    ) -> dict[str, Tensor]:
        """Each output learns from the cases that reach its grade (CORN, equation 6)."""
        import torch
        from torch.nn import functional as F

        assert isinstance(batch.targets, Grades)
        logits, truth = network(batch.images).float(), batch.targets.values[:, None]
        cut = torch.arange(logits.shape[1], device=logits.device)
        each = F.binary_cross_entropy_with_logits(logits, (truth > cut).float(), reduction="none")
        reached = (truth >= cut).float()
        return {"loss": (each * reached).sum() / reached.sum()}

    def predict(self, network: Forward, images: Tensor, settings: GradeSettings) -> list[Logits]:
        # a GPU of Apple's has no float64
        return list(network(images).float().cpu().double().numpy())

    def calibrate(
        self,
        predictions: Iterable[Logits],
        truths: Sequence[Any],
        settings: GradeSettings,
        wanted: Wanted,
    ) -> Calibration:
        """One temperature for all cuts: the likelihood of a grade is a product over those."""
        decision = "grade: the last that is more likely reached than not"
        if not wanted.temperature:
            return Calibration(reasons=("temperature: not fitted", decision))
        logits, truth = np.stack(list(predictions)), np.array(truths)[:, None]
        cut = np.arange(logits.shape[1])
        reached = truth >= cut
        beyond = (truth > cut).astype(np.int64)
        found = fit_temperature(logits[reached][:, None], beyond[reached][:, None])
        why = f"temperature: {found.reason.replace('cases', 'answers of single cuts')}"
        return Calibration(temperatures=found.values, reasons=(why, decision))

    def rows(
        self,
        predictions: Sequence[Logits],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: GradeSettings,
    ) -> pl.DataFrame:
        """The grade, and the probability of each."""
        none = np.zeros((0, self.outputs(settings)))
        logits = np.stack(predictions) if len(predictions) else none
        probability = _probabilities(logits / calibration.temperatures[0])
        reach = np.cumprod(expit(logits / calibration.temperatures[0]), axis=1)
        columns: dict[str, Any] = {
            "prediction": [settings.classes[k] for k in (reach > 0.5).sum(1)]
        }
        columns |= {f"p_{name}": probability[:, k] for k, name in enumerate(settings.classes)}
        return pl.DataFrame(columns, schema_overrides={"prediction": pl.String})

    def label(self, truth: Any, settings: GradeSettings) -> str:
        return "" if truth is None else settings.classes[int(truth)]

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: GradeSettings) -> Cases:
        rank = {name: i for i, name in enumerate(settings.classes)}
        decision = np.array([rank[one] for one in table["prediction"].to_list()], np.int64)
        probability = table.select(f"p_{name}" for name in settings.classes).to_numpy()
        patient = codes(table["patient"].to_list())
        truth = np.array(truths, np.int64)
        return Cases(truth, probability, decision, settings.classes, patient)

    def uncalibrated(
        self, cases: Cases, calibration: Calibration, settings: GradeSettings
    ) -> Cases:
        reach = np.cumsum(cases.probability[:, ::-1], axis=1)[:, ::-1]
        tiny = 1e-300
        going_on = np.clip(reach[:, 1:] / np.maximum(reach[:, :-1], tiny), tiny, 1 - 1e-16)
        return replace(
            cases, probability=_probabilities(logit(going_on) * calibration.temperatures[0])
        )

    def metrics(self, settings: GradeSettings) -> list[Metric]:
        overall = [metric(name) for name in OVERALL]
        cuts = [metric("auroc_from", one) for one in settings.classes[1:]]
        return overall + cuts + [metric(n, one) for one in settings.classes for n in OF_EACH]


TASK = Ordinal()


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) of each grade from (N, K - 1) logits of going beyond it where it is reached."""
    reach = np.cumprod(expit(logits), axis=1)
    ends = np.ones((len(logits), 1)), np.zeros((len(logits), 1))
    steps = np.concatenate([ends[0], reach, ends[1]], axis=1)
    found: NDArray[np.float64] = steps[:, :-1] - steps[:, 1:]
    return found


def _graded(catalog: Catalog) -> pl.DataFrame:
    """case, name, label of classes and of values that are whole numbers."""
    table = catalog.annotations.filter(pl.col("kind").is_in(["class", "value"]))
    whole = pl.col("value").is_finite() & (pl.col("value").round() == pl.col("value"))
    number = pl.when(whole).then(pl.col("value").cast(pl.Int64, strict=False).cast(pl.String))
    label = pl.when(pl.col("kind") == "class").then("label").otherwise(number)
    return table.select("case", "name", label=label).drop_nulls("label")


def _first(catalog: Catalog) -> str:
    names = _graded(catalog)["name"].unique(maintain_order=True).to_list()
    if not names:
        raise InputError(
            "no case has a grade", file=catalog.folder, remedy="`hounsfield layouts` lists how"
        )
    return str(names[0])


def _rows(catalog: Catalog, name: str) -> list[tuple[str, str]]:
    mine = _graded(catalog).filter(pl.col("name") == name)
    return mine.select("case", "label").rows()


def _by_size(labels: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    """Grades that are numbers, by size; the order of others only the user knows."""
    try:
        order = sorted(labels, key=float)
    except ValueError:
        order = []
    if len(order) < 2:
        if len(labels) < 2:
            raise InputError(
                f"all graded cases have one grade, {labels[0]!r}",
                file=catalog.folder,
                expected="two grades or more",
                remedy="add cases of other grades, or choose another target with --task.target",
            )
        told = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
        raise InputError(
            "the order of the grades is not known",
            file=catalog.folder,
            expected=f"numbers, or their order from you; they are {told}",
            remedy="--task.settings.classes LEAST,…,MOST",
        )
    return tuple(order)
