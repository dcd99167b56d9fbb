"""Intervals of proportions over patients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from hounsfield.metrics.contract import Bools, Floats, Ints

LEVEL = 0.95


class Interval(NamedTuple):
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"))


def normal_quantile() -> float:
    """z of a two-sided interval at LEVEL, 1.96."""
    return float(special.ndtri((1 + LEVEL) / 2))


def t_quantile(patients: int) -> float:
    """Student's t that replaces z where a variance was estimated from this many patients."""
    return float(special.stdtrit(max(patients - 1, 1), (1 + LEVEL) / 2))


def wilson(share: float, size: float) -> Interval:
    """Wilson's score interval of a proportion among `size` independent cases (not always whole).

    Wilson, JASA 1927. Its width is never 0.
    """
    if not size > 0:
        return UNDEFINED
    z2 = normal_quantile() ** 2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    inside = share * (1 - share) / size + z2 / (4 * size**2)
    half = float(np.sqrt(z2 * max(inside, 0.0))) / (1 + z2 / size)
    # Rounding must not put the bound of 0 of 10 at 1e-17.
    return Interval(
        0.0 if share <= 0 else max(centre - half, 0.0),
        1.0 if share >= 1 else min(centre + half, 1.0),
    )


def wilson_clustered(success: Bools, relevant: Bools, cluster: Ints) -> Interval:
    """Wilson's interval of sum(success) / sum(relevant) over clusters, (N,) each.

    The number of cases is divided by the design effect.
    """
    if not relevant.any():
        return UNDEFINED
    hits = per_cluster(success & relevant, cluster)
    sizes = per_cluster(relevant, cluster)
    total = sizes.sum()
    share = hits.sum() / total
    return wilson(float(share), float(total / design_effect(hits, sizes)))


def design_effect(hits: Floats, sizes: Floats) -> float:
    """How many times the variance of a proportion exceeds that of independent cases.

    hits, sizes: (clusters,). Ratio estimator (Cochran, Sampling Techniques, 3rd ed., eq. 9A.8; Rao
    and Scott, Biometrics 1992), kept between 1 (independent) and the size-weighted mean size of a
    cluster (all cases of a patient equal), which is also taken where all cases are equal and
    nothing can be estimated.
    """
    hits, sizes = hits[sizes > 0], sizes[sizes > 0]
    total = sizes.sum()
    share = hits.sum() / total
    largest = float((sizes**2).sum() / total)
    if share in (0.0, 1.0):
        return largest
    effect = float(((hits - share * sizes) ** 2).sum() / (total * share * (1 - share)))
    return min(max(effect, 1.0), largest)


def per_cluster(values: Bools | Floats, cluster: Ints) -> Floats:
    """Sums of (N,) values by cluster number."""
    return np.bincount(cluster, weights=values.astype(np.float64)).astype(np.float64)


def count_patients(of: Bools, cluster: Ints) -> int:
    """How many patients have a case in this (N,) mask."""
    return len(np.unique(cluster[of]))
