"""Which pairs might be one picture in two versions? A perceptual sketch proposes, `confirm` decides.

The sketch is a small picture's coarse structure as one unit vector, so all pairs are compared by
a matrix product. A crop moves everything, so each picture also asks as it would look cropped.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hounsfield.audit.confirm import Floats, pyramid, register, shrink, structure

GRID = 32  # the sketch is made of pictures of this size,
CELLS = 16  # and kept at this one
NEIGHBOURS = 6  # a picture's best partners that are looked at
AGREEMENT = 0.7  # the share of tiles that must agree one by one
ROWS = 1024  # sketches compared with all others at a time
Progress = Callable[[str, int, int], None]  # what, done, of how many


@dataclass(frozen=True)
class Match:
    """Rows of two pictures, the pose of the second on the first (scale x, y, shift x, y)."""

    first: int
    second: int
    pose: tuple[float, float, float, float]
    correlation: float
    agreement: float


@cache
def poses() -> NDArray[np.float64]:
    """The croppings that are tried, (K, 4): scale x, y, shift x, y on [-1, 1]."""
    tried = [(1.0, 1.0, 0.0, 0.0)]
    for scale, shift in ((0.95, 0.05), (0.95, 0.0)):
        signs = ((-1, -1), (-1, 1), (1, -1), (1, 1)) if shift else ((0, 0),)
        tried += [(scale, scale, sx * shift, sy * shift) for sx, sy in signs]
    return np.array(tried)


@cache
def seen_through(scale: float, shift: float) -> Floats:
    """The (CELLS, GRID) matrix that resamples one axis as a crop would show it."""
    half = (GRID - 1) / 2
    cells = (np.arange(CELLS) + 0.5) / CELLS * 2 - 1
    at = (scale * cells + shift + 1) * half
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(GRID)[None]) / (GRID / CELLS), 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def sketches(small: NDArray[np.uint8]) -> Floats:
    """The (K, N, CELLS²) unit vectors of (N, S, S) small pictures, for each of `poses`."""
    to = shrink(small.shape[-1], GRID)
    coarse = structure(to @ small.astype(np.float32) @ to.T, 1.0, 6.0)
    vectors = []
    for sx, sy, tx, ty in poses():
        seen = seen_through(sy, ty) @ coarse @ seen_through(sx, tx).T
        flat = seen.reshape(len(small), -1)
        flat = flat - flat.mean(1, keepdims=True)
        vectors.append(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
    return np.stack(vectors)


def propose(vectors: Floats, neighbours: int = NEIGHBOURS) -> dict[tuple[int, int], int]:
    """Pairs of rows worth a closer look -> the pose by which the first is most like the second.

    `vectors` is (K, N, D) as `sketches` gives it; each pair once.
    """
    poses_tried, rows, _ = vectors.shape
    k = min(neighbours, rows - 1)
    pairs: dict[tuple[int, int], int] = {}
    for start in range(0, rows, ROWS):
        stop = min(start + ROWS, rows)
        best = np.full((stop - start, rows), -1, np.float32)
        which = np.zeros((stop - start, rows), np.int8)
        for pose in range(poses_tried):
            likeness = vectors[pose, start:stop] @ vectors[0].T
            better = likeness > best
            np.copyto(best, likeness, where=better)
            which[better] = pose
        best[np.arange(stop - start), np.arange(start, stop)] = -1
        partners = np.argpartition(-best, k - 1, axis=1)[:, :k]
        for row, columns in enumerate(partners):
            for column in columns:
                if (int(column), start + row) not in pairs:
                    pairs[start + row, int(column)] = int(which[row, column])
    return pairs


def find(
    small: NDArray[np.uint8], correlation: float, workers: int, progress: Progress | None = None
) -> list[Match]:
    """The pairs of (N, S, S) small pictures that are copies, by registration and correlation."""
    pairs = sorted(propose(_all_sketches(small)).items())
    # Neighbours in the list share pictures; a block of pairs loads each of them once.
    blocks = [pairs[i : i + ROWS] for i in range(0, len(pairs), ROWS)]
    matches: dict[tuple[int, int], Match] = {}
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        found = pool.map(lambda block: _confirm(small, block, correlation), blocks)
        for done, part in enumerate(found, 1):
            for match in part:
                key = (min(match.first, match.second), max(match.first, match.second))
                if key not in matches or match.correlation > matches[key].correlation:
                    matches[key] = match
            if progress:
                progress("comparing", min(done * ROWS, len(pairs)), len(pairs))
    return [matches[key] for key in sorted(matches)]


def _all_sketches(small: NDArray[np.uint8]) -> Floats:
    blocks = [sketches(small[i : i + ROWS]) for i in range(0, len(small), ROWS)]
    return np.concatenate(blocks, axis=1)


def _confirm(
    small: NDArray[np.uint8], pairs: list[tuple[tuple[int, int], int]], correlation: float
) -> list[Match]:
    rows = sorted({row for pair, _ in pairs for row in pair})
    levels = pyramid(small[rows])
    at = {row: i for i, row in enumerate(rows)}
    matches = []
    for (first, second), pose in pairs:
        # `first` seen through the pose looks like `second`, so `second` is the moved one's inverse.
        fixed = tuple(level[at[second]] for level in levels)
        moving = tuple(level[at[first]] for level in levels)
        found, value, agreement = register(fixed, moving, poses()[pose])
        if value >= correlation and agreement >= AGREEMENT:
            scale_x, scale_y, shift_x, shift_y = (float(v) for v in found)
            matches.append(
                Match(second, first, (scale_x, scale_y, shift_x, shift_y), value, agreement)
            )
    return matches
