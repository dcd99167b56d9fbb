"""Dealing groups of cases to parts: connected groups, and a balanced greedy assignment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

import numpy as np

Counts = Counter[Hashable]  # stratum -> cases


def connected(rows: int, links: Iterable[Sequence[int]]) -> list[list[int]]:
    """The groups of rows that the links join, in the order of their first row."""
    parent = list(range(rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for link in links:
        for one, other in pairwise(link):
            a, b = sorted((root(one), root(other)))
            parent[b] = a
    groups: dict[int, list[int]] = defaultdict(list)
    for row in range(rows):
        groups[root(row)].append(row)
    return list(groups.values())


def strata(label: str | None, source: str | None) -> tuple[Hashable, ...]:
    """What a case counts for: its label and source together, each alone, and itself."""
    return (("both", label, source), ("label", label), ("source", source), "all")


def deal(
    groups: Sequence[Counts],
    shares: Sequence[float],
    rng: np.random.Generator,
    begun: Sequence[Counts] = (),
) -> list[int]:
    """The part (index of `shares`) of each group, so that every stratum is shared alike.

    Greedy: the groups in random order, large ones first, each to the part where it lowers the
    sum over strata of (count - target)² / target the most. `begun` counts what the parts hold
    already. A part with share 0 gets nothing.
    """
    open_parts = [part for part, share in enumerate(shares) if share > 0]
    held = [Counter(counts) for counts in begun] or [Counter() for _ in shares]
    total: Counts = sum((*groups, *held), Counter())
    whole = sum(shares)
    # A target under one case would starve rare classes of validation and test cases.
    floor = {s: 1.0 if n >= len(open_parts) else 0.0 for s, n in total.items()}
    targets = [
        {s: max(n * share / whole, floor[s], 1e-9) for s, n in total.items()} for share in shares
    ]
    order = rng.permutation(len(groups))
    sizes = np.array([counts["all"] for counts in groups])
    chosen = [0] * len(groups)
    for index in order[np.argsort(-sizes[order], kind="stable")]:
        counts = groups[index]
        best = min(open_parts, key=lambda part: _cost(counts, held[part], targets[part]))
        held[best].update(counts)
        chosen[index] = best
    return chosen


def _cost(counts: Counts, held: Counts, targets: dict[Hashable, float]) -> float:
    """The change of (count - target)² / target, summed over strata, when `counts` arrive."""
    return sum(
        n * (2 * (held[stratum] - targets[stratum]) + n) / targets[stratum]
        for stratum, n in counts.items()
    )
