"""Classification: one class a case, or several findings at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, softmax

from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.metrics import standard
from hounsfield.metrics.contract import UNKNOWN, Cases, Metric
from hounsfield.metrics.temperature import fit_temperature
from hounsfield.metrics.threshold import choose_threshold
from hounsfield.preprocessing.cache import Cache
from hounsfield.tasks.contract import Batch, Calibration, Choosing, TargetStore, Wanted, codes
from hounsfield.tasks.contract import Settings as Base
from hounsfield.tasks.labels import labelled, per_case, rows, vectors
from hounsfield.tasks.per_case import PerCase

if TYPE_CHECKING:  # a bundle predicts without torch
    import torch
    from torch import Tensor

    from hounsfield.models.fusion import Forward, Outputs
    from hounsfield.preprocessing.mixing import Mix
    from hounsfield.preprocessing.warp import Warp

Logits = NDArray[np.float64]  # (K,), the prediction of one case

RARE = 5  # times fewer cases than the commonest class


class ClassSettings(Base):
    classes: tuple[str, ...] = Field(description="in the order of the outputs, disease last")
    multilabel: bool = Field(False, description="several findings at once, each yes or no")
    smoothing: float = Field(0.05, ge=0, lt=1, description="label smoothing of the cross-entropy")
    focal: float = Field(
        0.0, ge=0, le=10, description="gamma of the focal loss, 2 in its paper; 0: cross-entropy"
    )


@dataclass(frozen=True, eq=False)
class Classes:
    """Class indices (B,), or 0/1 (B, K), -1 where not known; mixed, where pictures are."""

    values: Tensor
    mix: Mix | None = None

    def moved(self, warp: Warp) -> Classes:
        return self

    def mixed(self, mix: Mix) -> Classes:
        return Classes(self.values, mix)

    def to(self, device: torch.device) -> Classes:
        return Classes(self.values.to(device), self.mix and self.mix.to(device))

    def shares(self, classes: int) -> Tensor:
        """The truth as the losses take it: shares (B, K) where cases are mixed."""
        if self.mix is None:
            return self.values
        from torch.nn import functional as F

        if self.values.ndim == 2:  # what is not known stays so in every mixture
            alone = self.values.float().where(self.values >= 0, float("nan"))
        else:
            alone = F.one_hot(self.values, classes)
        own = self.mix.share[:, None]
        return own * alone + (1 - own) * alone[self.mix.partner]

    def plain(self) -> Tensor:
        return self.values


@dataclass(frozen=True, eq=False)
class ClassStore:
    values: Tensor

    def batch(self, rows: Sequence[int]) -> Classes:
        return Classes(self.values[list(rows)])


class Classification(PerCase[Logits]):
    NAME = "classification"
    ANNOTATIONS = ("class", "value")
    Settings = ClassSettings
    FIGURES = ("confusion", "roc", "pr", "reliability", "scores", "subgroups", "mistakes")
    NETWORK = "cnn"
    DIMENSIONS = (2, 3)
    MIXES = True  # targets can be shared between two cases

    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> ClassSettings:
        names = labelled(catalog, target)
        if len(names) < 2:
            raise InputError(
                f"all labelled cases are of one class, {names[0]!r}",
                file=catalog.folder,
                expected="at least two classes",
                remedy="add images of another class, or choose another label with --task.target",
            )
        several = per_case(catalog, target, names)
        values = {"classes": names, "multilabel": several} | dict(asked)
        chosen = ClassSettings.model_validate(values)
        unknown = set(chosen.classes) - set(names)
        if unknown:
            raise UsageError(
                f"no case is labelled {min(unknown)!r}", remedy=did_you_mean(min(unknown), names)
            )
        return chosen

    def strata(self, catalog: Catalog, settings: ClassSettings) -> list[str]:
        return [self.label(truth, settings) for truth in self.truths(catalog, settings)]

    def truths(
        self, catalog: Catalog, settings: ClassSettings
    ) -> list[NDArray[np.int64] | int | None]:
        """A class index, or a vector of 0/1; None where a case is not labelled.

        In a vector -1 is a finding that is not known: its value is empty, -1 (CheXpert's
        "uncertain") or not a number.
        """
        if settings.multilabel:
            known = vectors(catalog, settings.classes)
            return [known.get(case) for case in catalog.cases["case"]]
        rank = {name: i for i, name in enumerate(settings.classes)}
        first: dict[str, int] = {}
        for case, label, value, _ in rows(catalog, settings.classes):
            if label in rank and value == 1:
                first.setdefault(case, rank[label])
        return [first.get(case) for case in catalog.cases["case"]]

    def choose(self, choosing: Choosing, settings: ClassSettings) -> list[Choice]:
        counts = choosing.fingerprint.classes.values()
        if settings.multilabel or max(counts, default=0) <= RARE * min(counts, default=0):
            why = "no class is rare, and weights would pull probabilities away from the truth"
            return [Choice("training.balance", "none", why)]
        why = f"the rarest class has {min(counts)} of {sum(counts)} cases"
        return [Choice("training.balance", "weights", why)]

    def measured(self, training: Catalog, settings: ClassSettings) -> tuple[Choice, ...]:
        return ()

    def outputs(self, settings: ClassSettings) -> int:
        return len(settings.classes)

    def kind_of_outputs(self, settings: ClassSettings) -> Outputs:
        return "labels" if settings.multilabel else "classes"

    def output_names(self, settings: ClassSettings) -> tuple[str, ...]:
        return settings.classes

    def targets(
        self, catalog: Catalog, settings: ClassSettings, cache: Cache, cases: Sequence[str]
    ) -> TargetStore:
        import torch

        truths = dict(zip(catalog.cases["case"], self.truths(catalog, settings), strict=True))
        return ClassStore(torch.as_tensor(np.array([truths[case] for case in cases])))

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: ClassSettings
    ) -> dict[str, Tensor]:
        from hounsfield.tasks.losses import class_loss, label_loss

        assert isinstance(batch.targets, Classes)
        logits = network(batch.images).float()
        truth = batch.targets.shares(len(settings.classes))
        focal, smoothing = settings.focal, settings.smoothing
        if settings.multilabel:
            return {"loss": label_loss(logits, truth, weights, focal=focal)}
        return {"loss": class_loss(logits, truth, weights, smoothing=smoothing, focal=focal)}

    def predict(self, network: Forward, images: Tensor, settings: ClassSettings) -> list[Logits]:
        # a GPU of Apple's has no float64
        return list(network(images).cpu().double().numpy())

    def calibrate(
        self,
        predictions: Iterable[Logits],
        truths: Sequence[Any],
        settings: ClassSettings,
        wanted: Wanted,
    ) -> Calibration:
        logits, truth = np.stack(list(predictions)), np.array(truths)
        values: tuple[float, ...] = (1.0,)
        reasons = ["temperature: not fitted"]
        if wanted.temperature:
            temperature = fit_temperature(logits, truth)
            values, reasons = temperature.values, [f"temperature: {temperature.reason}"]
        probability = _probabilities(logits, Calibration(temperatures=values), settings)
        thresholds = []
        for k, known, positive in _decided(truth, settings):
            rule, sensitivity = _rule(wanted.threshold)
            if rule == "fixed":
                thresholds.append(sensitivity)
                reasons.append(f"threshold {sensitivity:g}: as asked")
                continue
            chosen = choose_threshold(
                positive, probability[known, k], rule=rule, sensitivity=sensitivity
            )
            thresholds.append(chosen.value)
            reasons.append(f"threshold of {settings.classes[k]}: {chosen.reason}")
        return Calibration(
            temperatures=values, thresholds=tuple(thresholds), reasons=tuple(reasons)
        )

    def rows(
        self,
        predictions: Sequence[Logits],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: ClassSettings,
    ) -> pl.DataFrame:
        logits = (
            np.stack(predictions) if len(predictions) else np.zeros((0, self.outputs(settings)))
        )
        probability = _probabilities(logits, calibration, settings)
        decision = _decide(probability, calibration, settings)
        columns: dict[str, Any] = {"prediction": [self.label(d, settings) for d in decision]}
        columns |= {f"p_{name}": probability[:, k] for k, name in enumerate(settings.classes)}
        return pl.DataFrame(columns, schema_overrides={"prediction": pl.String})

    def label(self, truth: Any, settings: ClassSettings) -> str:
        if truth is None:
            return ""
        if settings.multilabel:
            return "|".join(c for c, on in zip(settings.classes, truth, strict=True) if on > 0)
        return settings.classes[int(truth)]

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: ClassSettings) -> Cases:
        rank = {name: i for i, name in enumerate(settings.classes)}
        said = table["prediction"].fill_null("").to_list()
        if settings.multilabel:
            marks = [[rank[name] for name in one.split("|") if name] for one in said]
            decision = np.array([_vector(m, len(rank)) for m in marks])
        else:
            decision = np.array([rank[one] for one in said])
        probability = table.select(f"p_{name}" for name in settings.classes).to_numpy()
        patient = codes(table["patient"].to_list())
        return Cases(np.array(truths), probability, decision, settings.classes, patient)

    def metrics(self, settings: ClassSettings) -> list[Metric]:
        return list(standard(settings.classes, settings.multilabel))

    def uncalibrated(
        self, cases: Cases, calibration: Calibration, settings: ClassSettings
    ) -> Cases:
        # Log-probabilities are logits up to a constant, which a softmax does not see.
        p = np.clip(cases.probability, 1e-300, 1)
        logits = np.log(p) - np.log1p(-np.minimum(p, 1 - 1e-16)) * settings.multilabel
        heated = logits * np.array(calibration.temperatures)
        before = _probabilities(heated, Calibration(), settings)
        return replace(cases, probability=before)


TASK = Classification()


def _vector(marks: Sequence[int], size: int) -> NDArray[np.int64]:
    vector = np.zeros(size, np.int64)
    vector[list(marks)] = 1
    return vector


def _probabilities(
    logits: NDArray[np.float64], calibration: Calibration, settings: ClassSettings
) -> NDArray[np.float64]:
    scaled = logits / np.array(calibration.temperatures)
    found: NDArray[np.float64] = expit(scaled) if settings.multilabel else softmax(scaled, axis=1)
    return found


def _decided(
    truth: NDArray[Any], settings: ClassSettings
) -> list[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]]:
    """The outputs that a threshold decides, each label or the last of two classes.

    For each (N,) which cases are known, and which of those are positive.
    """
    if settings.multilabel:
        known = truth != UNKNOWN
        every = range(len(settings.classes))
        return [(k, known[:, k], truth[known[:, k], k] == 1) for k in every]
    return [(1, truth >= 0, truth == 1)] if len(settings.classes) == 2 else []


def _decide(
    probability: NDArray[np.float64], calibration: Calibration, settings: ClassSettings
) -> NDArray[np.int64]:
    limits = np.array(calibration.thresholds or (0.5,))
    decided: NDArray[np.int64] = probability.argmax(1)
    if settings.multilabel:
        decided = (probability >= limits).astype(np.int64)
    elif len(settings.classes) == 2:
        decided = (probability[:, 1] >= limits[0]).astype(np.int64)
    return decided


def _rule(asked: str) -> tuple[Any, float]:
    """ "youden", "sensitivity:0.95" or "0.5" as a rule and its number."""
    name, _, number = asked.partition(":")
    try:
        if name == "youden":
            return name, 0.95
        if name == "sensitivity":
            return name, float(number)
        return "fixed", float(name)
    except ValueError:
        raise UsageError(
            f"no threshold rule {asked!r}",
            expected="youden, sensitivity:0.95, or a number like 0.5",
        ) from None
