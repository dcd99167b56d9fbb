"""What a metric is: a value of weighted cases, so that all resamples are one matrix operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from hounsfield.errors import InputError, did_you_mean

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UNKNOWN = -1  # of one label of several: neither there nor absent

Kind = Literal["proportion", "auroc", "other"]


@dataclass(frozen=True, eq=False)
class Cases:
    """What metrics see of N cases; an array that is handed in is never written to.

    truth: (N,) class index, or (N, K) 0/1 for multi-label, UNKNOWN where a label is not known.
    probability: (N, K) calibrated. decision: shaped as truth.
    patient: (N,) any codes or names; cases with the same one are a cluster.
    columns: (N,) values per case, NaN where one is not defined (Dice of two empty masks).
    """

    truth: Ints
    probability: Floats
    decision: Ints
    classes: tuple[str, ...]
    patient: npt.NDArray[np.generic]
    columns: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, k = len(self.patient), len(self.classes)
        expected = {
            "truth": [(n,), (n, k)],
            "decision": [self.truth.shape],
            "probability": [(n, k)],
        }
        for name, shapes in expected.items():
            if getattr(self, name).shape not in shapes:
                raise InputError(
                    f"{name} of {n} cases with {k} classes has shape {getattr(self, name).shape}",
                    expected=" or ".join(str(shape) for shape in shapes),
                    remedy="give every case one row in truth, decision, probability and patient",
                )
        for name, column in self.columns.items():
            if column.shape != (n,):
                raise InputError(f"column {name} has shape {column.shape}", expected=f"({n},)")
        least = UNKNOWN if self.multilabel else 0
        if self.truth.size and (self.truth.min() < least or self.truth.max() >= max(k, 2)):
            raise InputError(
                f"truth holds classes {self.truth.min()} to {self.truth.max()}",
                expected=f"0 to {k - 1}, or 0 and 1 for each label",
            )

    @classmethod
    def from_columns(cls, columns: Mapping[str, Floats], patient: npt.NDArray[np.generic]) -> Cases:
        """Cases of a task without classes: segmentation and detection bring values per case."""
        n = len(patient)
        none = np.zeros(n, np.int64)
        return cls(none, np.zeros((n, 0)), none, (), patient, columns)

    def __len__(self) -> int:
        return len(self.patient)

    @property
    def multilabel(self) -> bool:
        return self.truth.ndim == 2

    def known(self, class_name: str | None = None) -> Bools:
        """(N,) whether the truth of this label, or of any of several, is known."""
        if not self.multilabel:
            return np.ones(len(self), np.bool_)
        there: Bools = np.not_equal(self.truth, UNKNOWN)
        one: Bools = np.any(there, 1) if class_name is None else there[:, self.index(class_name)]
        return one

    def told(self, class_name: str | None) -> Cases:
        """The cases whose truth of this label is known; all without a label."""
        known = self.known(class_name)
        return self if class_name is None or known.all() else self.take(known)

    @cached_property
    def cluster(self) -> Ints:
        """(N,) patient numbers from 0, as they first appear: pseudonyms do not order them."""
        _, first, codes = np.unique(self.patient, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        numbers: Ints = rank[codes]
        return numbers

    @cached_property
    def patients(self) -> int:
        return int(self.cluster.max()) + 1 if len(self) else 0

    def index(self, class_name: str) -> int:
        """The column of a class; an unknown name is an InputError."""
        if class_name not in self.classes:
            raise InputError(
                f"there is no class {class_name!r}",
                remedy=did_you_mean(class_name, self.classes),
            )
        return self.classes.index(class_name)

    def take(self, rows: npt.NDArray[np.generic]) -> Cases:
        """The cases at these indices, or where this (N,) mask is true."""
        return Cases(
            self.truth[rows],
            self.probability[rows],
            self.decision[rows],
            self.classes,
            self.patient[rows],
            {name: column[rows] for name, column in self.columns.items()},
        )


@dataclass(frozen=True, eq=False)
class Metric:
    """A score and what its interval needs.

    value: cases and (R, N) non-negative weights to (R,) values, NaN where undefined; a row of
    counts gives the value of the set in which each case stands that many times.
    counts: for a proportion, (N,) success and (N,) relevant; None where it is an average.
    scores: for an AUROC, (N,) positive and (N,) score; None where it is an average.
    bounds: the values it cannot leave.
    """

    name: str
    title: str
    kind: Kind
    value: Callable[[Cases, Floats], Floats]
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)
    class_name: str | None = None
    column: str | None = None
    counts: Callable[[Cases], tuple[Bools, Bools] | None] | None = None
    scores: Callable[[Cases], tuple[Bools, Floats] | None] | None = None

    def point(self, cases: Cases) -> float:
        """The value of the cases as they are."""
        if not len(cases):
            return float("nan")
        return float(self.value(cases, np.ones((1, len(cases))))[0])


def divide(above: Floats, below: Floats) -> Floats:
    """above / below, NaN where below is 0."""
    result = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result


def column_of(cases: Cases, name: str) -> Floats:
    """A column of values per case; an unknown name is an InputError."""
    if name not in cases.columns:
        raise InputError(
            f"the cases have no column {name!r}", remedy=did_you_mean(name, cases.columns)
        )
    return cases.columns[name]


def mean_of(
    name: str,
    title: str,
    column: str,
    *,
    higher_is_better: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
    class_name: str | None = None,
) -> Metric:
    """The mean of a column over the cases in which it is defined."""

    def value(cases: Cases, weights: Floats) -> Floats:
        values = column_of(cases, column)
        defined = ~np.isnan(values)
        sums = weights @ np.stack([np.where(defined, values, 0.0), defined], axis=1)
        return divide(sums[:, 0], sums[:, 1])

    return Metric(
        name, title, "other", value, higher_is_better, bounds, class_name=class_name, column=column
    )
