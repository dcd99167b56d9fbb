"""Losses of classes and labels: cross-entropy, focal, and what weighs rare ones.

Pure functions of logits; with `focal` 0 each is the plain cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Weighing = Literal["weights", "effective"]


def class_loss(
    logits: Tensor, truth: Tensor, weights: Tensor | None, *, smoothing: float, focal: float
) -> Tensor:
    """The mean loss of classes that exclude each other: logits (B, K), truth (B,) or (B, K).

    Truth is a class index, or a share for each class. Smoothing moves a share of the truth to
    all classes (Szegedy et al. 2016). `focal` lowers the weight of what is predicted well,
    (1 - p)^focal (Lin et al. 2017, eq. 4). `weights` (K,) make it a weighted mean.
    """
    if not focal and truth.ndim == 1:
        return F.cross_entropy(logits, truth, weights, label_smoothing=smoothing)
    shares = F.one_hot(truth, logits.shape[1]).to(logits) if truth.ndim == 1 else truth.to(logits)
    weighed = torch.ones_like(logits[0]) if weights is None else weights.to(logits)
    smooth = (1 - smoothing) * shares + smoothing / logits.shape[1]
    log_p = logits.log_softmax(1)
    each = -smooth * _less_of_the_easy(log_p, focal) * log_p * weighed
    return each.sum() / (shares * weighed).sum()


def label_loss(logits: Tensor, truth: Tensor, weights: Tensor | None, *, focal: float) -> Tensor:
    """The mean loss of labels that do not exclude each other: logits and truth (B, K).

    Truth is 0, 1 or a share between them; below 0 or NaN it is not known, and nothing is learned
    from it. `weights` (K,) weigh what is positive.
    """
    shares = truth.to(logits)
    known = shares >= 0
    shares = torch.where(known, shares, 0.0)
    each = _of_labels(logits, shares, weights, focal)
    return (each * known).sum() / known.sum().clamp(min=1)


def _of_labels(logits: Tensor, shares: Tensor, weights: Tensor | None, focal: float) -> Tensor:
    """(B, K), the loss of each label."""
    if not focal:
        return F.binary_cross_entropy_with_logits(
            logits, shares, pos_weight=weights, reduction="none"
        )
    yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
    positive = -shares * _less_of_the_easy(yes, focal) * yes
    negative = -(1 - shares) * _less_of_the_easy(no, focal) * no
    return positive * (1.0 if weights is None else weights) + negative


def _less_of_the_easy(log_p: Tensor, focal: float) -> Tensor:
    """(1 - p)^focal; where p rounds to 1, a tiny number keeps the power's gradient finite."""
    return (-torch.expm1(log_p)).clamp(min=1e-12) ** focal if focal else torch.ones_like(log_p)


def class_weights(
    counts: Sequence[int], how: Weighing = "weights", beta: float = 0.999
) -> NDArray[np.float64]:
    """(K,) weights of classes that have so many training cases.

    weights: inverse frequencies, whose mean over the cases is 1. effective: inverse effective
    numbers (1 - β^n) / (1 - β), scaled to the sum K (Cui et al. 2019, section 4).
    """
    n = np.maximum(1, np.asarray(counts, np.float64))
    if how == "weights":
        return np.asarray(sum(counts) / (len(n) * n))
    inverse = 1 / _effective(n, beta)
    return np.asarray(inverse * len(n) / inverse.sum())


def positive_weights(
    marks: NDArray[Any], how: Weighing = "weights", beta: float = 0.999
) -> NDArray[np.float64]:
    """(K,) weights of the positives of labels, marks (N, K) of 0 and 1: negatives / positives.

    Others are not known and do not count. effective: the ratio of effective numbers in their place.
    """
    positive, negative = (np.maximum(1, np.equal(marks, one).sum(0)) for one in (1, 0))
    if how == "weights":
        return np.asarray(negative / positive)
    return np.asarray(_effective(negative, beta) / _effective(positive, beta))


def _effective(n: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    return np.asarray((1 - beta**n) / (1 - beta))
