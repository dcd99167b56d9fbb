"""What a table says without the image: logistic regression or boosted trees of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.metrics.contract import Floats

FOLDS = 5
SURE = 1e-6  # no probability is nearer to 0 or 1
LOGISTIC, TREES = "logistic regression", "gradient-boosted trees"


@dataclass(frozen=True, eq=False)
class Rows:
    """Cases of a table: values (N, F), truth (N,) classes or (N, K) labels of 0 and 1, patients."""

    values: Floats
    truth: NDArray[np.int64]
    patients: Sequence[str]


@dataclass(frozen=True, eq=False)
class TableModel:
    """A fitted model of a table; `losses` by cross-validation, of each that was tried."""

    name: str
    losses: dict[str, float]
    logits: Callable[[Floats], Floats]


def fit_table(rows: Rows, classes: int) -> TableModel:
    """The better of both models by the log-likelihood in cross-validation over patients.

    Where a class has too few patients for that, it is logistic regression.
    """
    makers = {LOGISTIC: _logistic, TREES: _trees}
    losses = {name: _crossed(rows, classes, make) for name, make in makers.items()}
    tried = {name: loss for name, loss in losses.items() if np.isfinite(loss)}
    name = min(tried, key=lambda one: tried[one]) if tried else LOGISTIC
    return TableModel(name, tried, _fitted(rows, classes, makers[name]))


def fit_logistic(rows: Rows, classes: int) -> Callable[[Floats], Floats]:
    """(N, F) -> (N, classes) logits of a logistic regression."""
    return _fitted(rows, classes, _logistic)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A network's answers may be small numbers, which the penalty would take for weak ones.
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, early_stopping=False, random_state=0
    )


def _fitted(rows: Rows, classes: int, make: Callable[[], Any]) -> Callable[[Floats], Floats]:
    """(N, F) -> (N, classes) logits: of a softmax, or of one sigmoid a label."""
    if rows.truth.ndim == 1:
        inner = _probability(rows.values, rows.truth, make)
        return lambda values: np.log(_of_classes(*inner(values), classes))
    told = [(mine >= 0, mine) for mine in rows.truth.T]  # below 0: not known
    each = [_probability(rows.values[known], mine[known], make) for known, mine in told]

    def logits(values: Floats) -> Floats:
        yes = np.stack([_of_classes(*one(values), 2)[:, 1] for one in each], axis=1)
        return np.log(yes) - np.log1p(-yes)

    return logits


def _probability(
    values: Floats, truth: NDArray[np.int64], make: Callable[[], Any]
) -> Callable[[Floats], tuple[Floats, NDArray[np.int64]]]:
    """What gives probabilities, with the classes that they are of."""
    seen = np.unique(truth) if len(truth) else np.zeros(1, np.int64)
    if len(seen) == 1:
        return lambda new: (np.ones((len(new), 1)), seen)
    model = make().fit(values, truth)
    return lambda new: (model.predict_proba(new), model.classes_)


def _of_classes(found: Floats, seen: NDArray[np.int64], classes: int) -> Floats:
    """(N, classes): a class that no training case had gets next to nothing."""
    whole = np.full((len(found), classes), SURE)
    whole[:, seen] = np.clip(found, SURE, 1 - SURE)
    share: Floats = whole / whole.sum(axis=1, keepdims=True)
    return share


def _crossed(rows: Rows, classes: int, make: Callable[[], Any]) -> float:
    """The mean negative log-likelihood of held-out patients; NaN where there are too few."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    several = rows.truth.ndim == 2
    groups = np.unique(np.asarray(rows.patients, str), return_inverse=True)[1]
    fewest = len(set(groups))
    if not several:
        fewest = min(len(set(groups[rows.truth == k])) for k in np.unique(rows.truth))
    folds = min(FOLDS, fewest)
    if folds < 2:
        return float("nan")
    kind = GroupKFold(folds) if several else StratifiedGroupKFold(folds)
    losses = []
    for train, held in kind.split(rows.values, None if several else rows.truth, groups):
        mine = Rows(rows.values[train], rows.truth[train], [])
        found = _fitted(mine, classes, make)(rows.values[held])
        losses.append(_loss(found, rows.truth[held]))
    return float(np.concatenate(losses).mean())


def _loss(logits: Floats, truth: NDArray[np.int64]) -> Floats:
    """(N,) negative log-likelihoods."""
    if truth.ndim == 2:
        every: Floats = (np.logaddexp(0, logits) - logits * truth) * (truth >= 0)
        return np.asarray(every.sum(axis=1))
    whole = np.logaddexp.reduce(logits, axis=1)
    found: Floats = whole - logits[np.arange(len(truth)), truth]
    return found
