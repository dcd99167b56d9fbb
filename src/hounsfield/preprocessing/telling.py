"""Does one column of a table tell the label by itself? Then it is a leak, or no image is needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from hounsfield.preprocessing.columns import Column, numbers, words

SURE = 0.98  # mean over the labels of the share of cases that the column tells
FEWEST = 4  # cases of a label, under which chance may tell it


def telling(column: Column, values: pl.Series, labels: Sequence[str]) -> bool:
    """Whether a value, or a limit between two values, tells nearly every training case's label.

    Each label counts the same, so that a rare one cannot be missed without being noticed.
    """
    counts = Counter(labels)
    if len(counts) < 2 or min(counts.values()) < FEWEST:
        return False
    if column.kind == "category" or len(set(words(values))) <= len(counts) + 1:
        return _by_value(words(values), labels, counts) >= SURE
    return _by_limit(numbers(values), labels, counts) >= SURE


def _by_value(texts: Sequence[str], labels: Sequence[str], counts: Counter[str]) -> float:
    """Each value stands for the label that it is most of."""
    pairs = defaultdict[str, Counter[str]](Counter)
    for text, label in zip(texts, labels, strict=True):
        pairs[text][label] += 1
    told = Counter[str]()
    for mine in pairs.values():
        best = max(mine, key=lambda label: mine[label] / counts[label])
        told[best] += mine[best]
    return sum(told[label] / counts[label] for label in counts) / len(counts)


def _by_limit(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    labels: Sequence[str],
    counts: Counter[str],
) -> float:
    """Limits between the values tell the labels: a tree with as many leaves as labels."""
    from sklearn.tree import DecisionTreeClassifier

    filled = np.nan_to_num(values, nan=float(np.nanmin(values)) - 1)[:, None]
    tree = DecisionTreeClassifier(
        max_leaf_nodes=len(counts) + 1, class_weight="balanced", random_state=0
    )
    told = tree.fit(filled, list(labels)).predict(filled)
    right = Counter(label for label, said in zip(labels, told, strict=True) if label == said)
    return sum(right[label] / counts[label] for label in counts) / len(counts)
