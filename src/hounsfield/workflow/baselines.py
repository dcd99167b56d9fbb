"""scikit-learn on a network's features: what a simple model makes of them, measured as a run is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.files import whole_folder
from hounsfield.progress import SILENT, Watch

if TYPE_CHECKING:
    import polars as pl

    from hounsfield.catalog import Catalog
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.plan.schema import Plan

Floats = NDArray[np.float64]
Parameters = Mapping[str, Any]
FOLDS = 5
LEAST = 1e-6  # of a probability, before its logarithm is taken

# model -> what its cross-validation may choose
MODELS: dict[str, tuple[Parameters, ...]] = {
    "logistic": tuple({"C": c} for c in (1e-4, 1e-3, 1e-2, 0.1, 1.0)),
    "k-nn": tuple({"n_neighbors": n} for n in (5, 15, 45)),
    "boosting": tuple({"max_leaf_nodes": n} for n in (4, 12)),
}
ROUNDS = 50  # of boosting: one tree a class each
TRIED = {"boosting": 2}  # folds that decide, where a fit takes long


@dataclass(frozen=True, eq=False)
class Labelled:
    """Cases whose classes are known, and the task that speaks of them."""

    catalog: Catalog
    task: Any
    settings: Any
    plan: Plan

    @classmethod
    def of(cls, catalog: Catalog, task: Any, settings: Any, plan: Plan) -> Labelled | None:
        """None where the task has no classes, or orders them."""
        several = task.kind_of_outputs(settings)
        known = [one for one in task.truths(catalog, settings) if one is not None]
        fits = {"classes": 0, "labels": 1}.get(several) == (np.ndim(known[0]) if known else None)
        return cls(catalog, task, settings, plan) if fits and hasattr(settings, "classes") else None

    @classmethod
    def of_plan(cls, catalog: Catalog, plan: Plan) -> Labelled | None:
        from hounsfield.tasks import load
        from hounsfield.training.study import task_settings

        return cls.of(catalog, load(plan.task.name), task_settings(plan), plan)

    @cached_property
    def truths(self) -> dict[str, Any]:
        every = self.task.truths(self.catalog, self.settings)
        return dict(zip(self.catalog.cases["case"], every, strict=True))

    @property
    def labels(self) -> dict[str, str]:
        return {case: self.task.label(one, self.settings) for case, one in self.truths.items()}


@dataclass(frozen=True)
class Baseline:
    """One model: what was chosen for it, and how it does on the test part."""

    name: str
    chosen: Parameters
    evaluation: Evaluation


@dataclass(frozen=True, eq=False)
class Part:
    """Features (N, F), truths (N,) or (N, K), patients and names of one part's cases."""

    features: NDArray[np.float32]
    truth: NDArray[np.int64]
    patient: list[str]
    case: list[str]


def folder_of(features: Path) -> Path:
    """Where baselines of a file of features lie: NAME.baselines beside it."""
    return features.with_suffix(".baselines")


def fit_baselines(file: Path, data: Labelled, watch: Watch = SILENT) -> tuple[Baseline, ...]:
    """Logistic regression, nearest neighbours and boosted trees on the training part.

    Their numbers are chosen by cross-validation over patients within it; calibration and
    threshold come from the validation part, if there is one; the test part is predicted once.
    Writes NAME.baselines/baselines.csv and MODEL/predictions.csv beside the features. Only the
    part that is learned from is in memory with all its features.

    Raises:
        InputError: no training or test part, or one class alone to learn.
    """
    out = folder_of(file)
    train = _part(file, "train", data)
    _check(train, file)
    folds = list(_folds(train))
    fitted: list[Baseline] = []
    if (out / "baselines.csv").exists():
        shutil.rmtree(out)
    with whole_folder(out) as work:
        for number, name in enumerate(MODELS):
            watch.tell("fitting", number, len(MODELS))
            chosen = _chosen(name, train, folds)
            model = _fit(name, chosen, train.features, train.truth)
            fitted.append(Baseline(name, chosen, _measured(model, name, file, data, work)))
        _table(fitted).write_csv(work / "baselines.csv")
    return tuple(fitted)


def _part(file: Path, part: str, data: Labelled) -> Part:
    import polars as pl

    table = pl.scan_parquet(file).filter(pl.col("split") == part).collect()
    known = [data.truths.get(case) is not None for case in table["id"]]
    table = table.filter(pl.Series(known, dtype=pl.Boolean))
    cases = table["id"].to_list()
    features = table.drop("id", "patient", "label", "split").to_numpy().astype(np.float32)
    truth = np.array([data.truths[case] for case in cases], np.int64)
    return Part(features, truth, table["patient"].to_list(), cases)


def _check(train: Part, file: Path) -> None:
    if not len(train.case) or len(np.unique(train.truth)) < 2:
        raise InputError(
            f"the training part has {len(train.case)} labelled cases of one class at most",
            file=file,
            expected="two classes or more",
            remedy="another split: --data.seed 1, or more data",
        )


def _folds(train: Part) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Training and held-out rows of each fold; no patient is in both. None if too few patients."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = np.unique(train.patient, return_inverse=True)[1]
    several = min(FOLDS, len(np.unique(groups)))
    if train.truth.ndim == 1:  # as many as the patients of the rarest class allow
        rarest = min(len(np.unique(groups[train.truth == k])) for k in np.unique(train.truth))
        several = min(several, rarest)
    if several < 2:
        return
    if train.truth.ndim == 2:
        yield from GroupKFold(several).split(train.features, groups=groups)
    else:
        dealt = StratifiedGroupKFold(several, shuffle=True, random_state=0)
        yield from dealt.split(train.features, train.truth, groups)


def _chosen(name: str, train: Part, folds: Sequence[Any]) -> Parameters:
    """The parameters with the least cross-validated log loss; the first without folds."""
    if not folds:
        return MODELS[name][0]
    losses = []
    for parameters in MODELS[name]:
        found = []
        for rows, held in folds[: TRIED.get(name, FOLDS)]:
            model = _fit(name, parameters, train.features[rows], train.truth[rows])
            found.append(_log_loss(model, train.features[held], train.truth[held], train.truth))
        losses.append(np.mean(found))
    return MODELS[name][int(np.argmin(losses))]


def _log_loss(model: Any, features: Any, truth: NDArray[np.int64], every: Any) -> float:
    classes = truth.shape[1] if truth.ndim == 2 else int(every.max()) + 1
    p = _probabilities(model, features, classes, several=truth.ndim == 2)
    if truth.ndim == 2:
        return float(-np.log(np.where(truth == 1, p, 1 - p))[truth >= 0].mean())
    return float(-np.log(p[np.arange(len(truth)), truth]).mean())


def _fit(name: str, parameters: Parameters, features: Any, truth: NDArray[np.int64]) -> Any:
    """A fitted model; several labels get one model each."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "boosting":
        share = min(1.0, 64 / features.shape[1])  # of the features, drawn for each node
        model: Any = HistGradientBoostingClassifier(
            random_state=0,
            early_stopping=False,
            max_iter=ROUNDS,
            max_bins=63,
            max_features=share,
            **parameters,
        )
    elif name == "k-nn":
        near = min(parameters["n_neighbors"], len(features))
        model = KNeighborsClassifier(near, weights="distance")
    else:
        model = LogisticRegression(max_iter=2000, **parameters)
    scaled = model if name == "boosting" else make_pipeline(StandardScaler(), model)
    return (_Several(scaled) if truth.ndim == 2 else scaled).fit(features, truth)


def _probabilities(model: Any, features: Any, classes: int, *, several: bool) -> Floats:
    """(N, classes), also of classes that the model did not see; none is 0 or 1."""
    given = model.predict_proba(features)
    found = given
    if not several:
        found = np.zeros((len(features), classes))
        found[:, model.classes_] = given
    clipped: Floats = np.clip(found, LEAST, 1 - LEAST)
    return clipped if several else clipped / clipped.sum(1, keepdims=True)


def _measured(model: Any, name: str, file: Path, data: Labelled, work: Path) -> Evaluation:
    """Predictions of the test part, written and measured as a run's are."""
    from hounsfield.evaluation.evaluate import evaluate, tested
    from hounsfield.inference.table import Predicted, read_predictions, write_predictions
    from hounsfield.tasks.contract import Calibration, Wanted

    plan = data.plan.evaluation
    calibration = Calibration()
    val = _part(file, "val", data)
    if len(val.case):
        wanted = Wanted(plan.threshold, plan.calibrate)
        truths = [data.truths[case] for case in val.case]
        calibration = data.task.calibrate(
            list(_logits(model, val, data)), truths, data.settings, wanted
        )
    test = _part(file, "test", data)
    if not len(test.case):
        raise InputError("there is no test part", file=file, remedy="--data.test 0.15")
    truths = [data.truths[case] for case in test.case]
    parts = ["test"] * len(truths)
    done = Predicted(test.case, parts, list(_logits(model, test, data)), truths)
    args = (data.catalog, data.task, data.settings)
    write_predictions(work / name, done, *args, calibration)
    seen = tested(name, read_predictions(work / name), *args)
    return evaluate(seen, data.task, data.settings, plan)


def _logits(model: Any, part: Part, data: Labelled) -> Floats:
    """(N, K) what the task takes for a network's outputs."""
    several = part.truth.ndim == 2
    p = _probabilities(model, part.features, len(data.settings.classes), several=several)
    logits: Floats = np.log(p) - np.log1p(-p) if several else np.log(p)
    return logits


def _table(fitted: Sequence[Baseline]) -> pl.DataFrame:
    """One row a model and metric, with its interval."""
    import polars as pl

    return pl.DataFrame(
        [
            {
                "model": one.name,
                "chosen": " ".join(f"{k}={v}" for k, v in one.chosen.items()),
                "metric": e.metric,
                "class": e.class_name,
                "value": e.value,
                "low": e.low,
                "high": e.high,
                "cases": e.cases,
                "patients": e.patients,
                "reliable": e.reliable,
                "note": e.note,
            }
            for one in fitted
            for e in one.evaluation.estimates
            if e.group == "all"
        ],
        infer_schema_length=None,
    )


class _Several:
    """One model a label; a label that all or none have is its share."""

    def __init__(self, model: Any) -> None:
        self.model, self.fitted = model, list[Any]()

    def fit(self, features: Any, truth: NDArray[np.int64]) -> _Several:
        from sklearn.base import clone

        for column in truth.T:
            told = column >= 0  # else not known
            if len(np.unique(column[told])) > 1:
                self.fitted.append(clone(self.model).fit(features[told], column[told]))
            else:
                self.fitted.append(float(column[told].max(initial=0)))
        return self

    def predict_proba(self, features: Any) -> Floats:
        """(N, K)."""
        columns = [
            np.full(len(features), one)
            if isinstance(one, float)
            else one.predict_proba(features)[:, 1]
            for one in self.fitted
        ]
        return np.stack(columns, 1)
