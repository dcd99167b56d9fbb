"""Scores of an order: AUROC and average precision, exact with ties, for many weightings at once."""

from __future__ import annotations

import numpy as np

from hounsfield.metrics.contract import Bools, Floats, divide


def auroc(positive: Bools, score: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    positive, score: (N,). weights: (R, N). Returns (R,), NaN where a class has no weight.
    Hanley and McNeil, Radiology 1982.
    """
    order = np.argsort(score, kind="stable")
    starts = _group_starts(score[order])
    ordered = weights[:, order]
    negatives = ordered * ~positive[order]
    positives = ordered - negatives
    if len(starts) < len(score):
        negatives = np.add.reduceat(negatives, starts, axis=1)
        positives = np.add.reduceat(positives, starts, axis=1)
    below = np.cumsum(negatives, axis=1)
    total = below[:, -1].copy()
    below -= negatives / 2
    wins = np.einsum("rn,rn->r", positives, below)
    return divide(wins, total * positives.sum(axis=1))


def average_precision(positive: Bools, score: Floats, weights: Floats) -> Floats:
    """Area under the precision-recall curve: the mean precision at each positive, uninterpolated.

    positive, score: (N,). weights: (R, N). Returns (R,), NaN without a positive.
    Equal scores are one step, as in scikit-learn.
    """
    order = np.argsort(-score, kind="stable")
    hit = positive[order]
    if not hit.any():
        return np.full(len(weights), np.nan)
    starts = _group_starts(score[order])
    ends = np.append(starts[1:], len(score))
    # Groups without a positive change no recall: they join the next group that has one.
    with_hit = np.add.reduceat(hit.astype(np.int64), starts) > 0
    ends = ends[with_hit]
    starts = np.concatenate([[0], ends[:-1]])
    ordered = weights[:, order[: ends[-1]]]
    called = np.cumsum(np.add.reduceat(ordered, starts, axis=1), axis=1)
    hits = np.add.reduceat(ordered * hit[: ends[-1]], starts, axis=1)
    reached = np.cumsum(hits, axis=1)
    precision = np.divide(reached, called, out=np.zeros_like(called), where=called > 0)
    return divide(np.einsum("rn,rn->r", hits, precision), reached[:, -1])


def _group_starts(ordered: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where each run of equal scores begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
