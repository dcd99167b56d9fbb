"""Which pairs are one picture in two versions? A sketch proposes, `confirm` decides.

All pairs are compared by a product of matrices (`sketch`); a crop moves everything, so each
picture also asks as it would look cropped. Its best partners are then laid on it one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hounsfield.audit.confirm import COARSE, FINE, Floats, Level, pyramids, register
from hounsfield.audit.sketch import Basis, poses

FEW = 32  # so many pictures are simply all laid on all
NEIGHBOURS = 4  # a picture's best partners that are looked at
AGREEMENT = 0.7  # the share of tiles that must agree one by one
BLOCK = 1024  # pictures at a time
PAIRS = 256  # pairs at a time
LIKENESSES = 2**24  # products in memory at a time
Progress = Callable[[str, int, int], None]  # what, done, of how many
Proposed = tuple[int, int, int]  # two rows, the pose in which the first looks like the second


@dataclass(frozen=True)
class Match:
    """Rows of two pictures, and the pose (scale x, y, shift x, y) of the second on the first."""

    first: int
    second: int
    pose: tuple[float, float, float, float]
    correlation: float
    agreement: float


@dataclass(frozen=True, eq=False)
class Laid:
    """Rows of two pictures, the pose that lays the moved one on the other, and how well."""

    moved: int
    still: int
    pose: NDArray[np.float64]
    correlation: float = 0.0
    agreement: float = 0.0


def find(
    small: NDArray[np.uint8], correlation: float, workers: int, progress: Progress | None = None
) -> list[Match]:
    """The pairs of (N, S, S) small pictures that are copies, by registration and correlation."""
    proposed = sorted(propose(small, progress))
    matches: list[Match] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, len(proposed), PAIRS):
            pairs = [Laid(a, b, poses()[pose]) for a, b, pose in proposed[start : start + PAIRS]]
            for levels in (COARSE, FINE):  # few are left for the fine one
                pairs = _laid(small, pairs, levels, pool)
            matches += [m for m in map(_match, pairs) if m.correlation >= correlation]
            if progress:
                progress("confirming", min(start + PAIRS, len(proposed)), len(proposed))
    sure = (match for match in matches if match.agreement >= AGREEMENT)
    return sorted(sure, key=lambda match: (match.first, match.second))


def propose(small: NDArray[np.uint8], progress: Progress | None = None) -> list[Proposed]:
    """The pairs worth laying on each other, each once."""
    rows = len(small)
    if rows <= FEW:
        return [(first, second, 0) for first, second in combinations(range(rows), 2)]
    basis = Basis.learnt(small)
    blocks = [small[i : i + BLOCK] for i in range(0, rows, BLOCK)]
    whole = np.concatenate([basis.sketches(block, poses()[:1])[0] for block in blocks])
    pairs: dict[tuple[int, int], Proposed] = {}
    step = max(1, min(BLOCK, LIKENESSES // rows))
    for start in range(0, rows, step):
        seen = basis.sketches(small[start : start + step], poses())
        for proposed in _partners(seen, whole, start):
            pairs.setdefault((min(proposed[:2]), max(proposed[:2])), proposed)
        if progress:
            progress("comparing", min(start + step, rows), rows)
    return list(pairs.values())


def _partners(seen: Floats, whole: Floats, start: int) -> list[Proposed]:
    """The best partners among `whole` (N, D) of rows from `start` on, `seen` (K, n, D)."""
    count = seen.shape[1]
    best = np.full((count, len(whole)), -1, np.float32)
    which = np.zeros(best.shape, np.int8)
    for pose, sketch in enumerate(seen):
        likeness = sketch @ whole.T
        better = likeness > best
        np.copyto(best, likeness, where=better)
        which[better] = pose
    own = np.arange(count)
    best[own, start + own] = -2
    partners = np.argpartition(-best, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    return [
        (start + row, int(partner), int(which[row, partner]))
        for row in range(count)
        for partner in partners[row]
    ]


def _laid(
    small: NDArray[np.uint8], pairs: list[Laid], levels: tuple[Level, ...], pool: Executor
) -> list[Laid]:
    """The pairs that may still be copies after these levels."""
    if not pairs:
        return []
    rows = sorted({row for pair in pairs for row in (pair.moved, pair.still)})
    made = dict(zip(rows, pyramids(small[rows], levels), strict=True))

    # Compiled loops alone go to the threads: matrix products have threads of their own.
    def lay(pair: Laid) -> Laid:
        told = register(made[pair.still], made[pair.moved], levels, pair.pose)
        return Laid(pair.moved, pair.still, *told)

    return [pair for pair in pool.map(lay, pairs) if pair.correlation > 0]


def _match(pair: Laid) -> Match:
    """Told from the first to the second row, which may be the inverse."""
    sx, sy, tx, ty = (float(number) for number in pair.pose)
    told = (pair.correlation, pair.agreement)
    if pair.still < pair.moved:
        return Match(pair.still, pair.moved, (sx, sy, tx, ty), *told)
    return Match(pair.moved, pair.still, (1 / sx, 1 / sy, -tx / sx, -ty / sy), *told)
