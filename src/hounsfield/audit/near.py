"""Which pairs are one picture in two versions? A sketch proposes, `confirm` decides.

All pairs are compared by a product of matrices (`sketch`); a crop moves everything, so each
picture also asks as it would look cropped. Its best partners are then laid on it one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hounsfield.audit.confirm import Floats, pyramid, register
from hounsfield.audit.sketch import Basis, poses

FEW = 32  # so many pictures are simply all laid on all
NEIGHBOURS = 4  # a picture's best partners that are looked at
AGREEMENT = 0.7  # the share of tiles that must agree one by one
BLOCK = 1024  # pictures at a time
PAIRS = 256  # pairs at a time; their pyramids take 0.2 MB a picture
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


def find(
    small: NDArray[np.uint8], correlation: float, workers: int, progress: Progress | None = None
) -> list[Match]:
    """The pairs of (N, S, S) small pictures that are copies, by registration and correlation."""
    proposed = sorted(propose(small, progress))
    matches: list[Match] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, len(proposed), PAIRS):
            block = proposed[start : start + PAIRS]
            rows = sorted({row for pair in block for row in pair[:2]})
            # Compiled loops alone go to the threads: matrix products have threads of their own.
            levels = dict(zip(rows, zip(*pyramid(small[rows]), strict=True), strict=True))
            found = pool.map(partial(_confirmed, levels, correlation), block)
            matches += [match for match in found if match]
            if progress:
                progress("confirming", start + len(block), len(proposed))
    return sorted(matches, key=lambda match: (match.first, match.second))


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


def _confirmed(
    levels: dict[int, tuple[Floats, ...]], correlation: float, proposed: Proposed
) -> Match | None:
    """The match of a pair, if it is one; `levels` has the pyramid of each row."""
    moved, still, pose = proposed
    found, value, agreement = register(levels[still], levels[moved], poses()[pose])
    if value < correlation or agreement < AGREEMENT:
        return None
    sx, sy, tx, ty = (float(number) for number in found)
    if still < moved:
        return Match(still, moved, (sx, sy, tx, ty), value, agreement)
    # Told from the first to the second, which is the inverse.
    return Match(moved, still, (1 / sx, 1 / sy, -tx / sx, -ty / sy), value, agreement)
