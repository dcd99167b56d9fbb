"""A picture in a few hundred numbers, by which its copies are found among many others.

The structure of a 64 × 64 picture, as seen whole or slightly cropped, less what all pictures of
the data set have in common: in radiographs of one kind the plan of the body says nothing, the
differences tell (principal components with equal weight, after Turk & Pentland 1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hounsfield.audit.confirm import Floats, shrink, structure

GRID = 64  # the sketch is made of pictures of this size,
CELLS = 32  # seen at this one,
DIMENSIONS = 256  # and at last told in so many numbers,
SAMPLE = 4096  # learnt from so many pictures
BAND = (1.0, 2.0)  # of detail, as widths of Gaussians in pixels
CROPS = ((1.0, 0.0), (0.95, 0.0), (0.9, 0.0), (0.95, 0.05), (0.95, -0.05))  # scale, shift


@cache
def poses() -> NDArray[np.float64]:
    """The croppings that are tried, (K, 4): scale x, y, shift x, y on [-1, 1]; the whole first."""
    return np.array([(sx, sy, tx, ty) for sx, tx in CROPS for sy, ty in CROPS])


@cache
def seen_through(scale: float, shift: float) -> Floats:
    """The (CELLS, GRID) matrix that resamples one axis as a crop would show it."""
    half = (GRID - 1) / 2
    cells = (np.arange(CELLS) + 0.5) / CELLS * 2 - 1
    at = (scale * cells + shift + 1) * half
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(GRID)[None]) / (GRID / CELLS), 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def views(small: NDArray[np.uint8], tried: NDArray[np.float64]) -> Floats:
    """(N, S, S) small pictures in each of the K poses, as (K, N, CELLS²) unit vectors."""
    to = shrink(small.shape[-1], GRID)
    detail = structure(to @ small.astype(np.float32) @ to.T, *BAND)
    vectors = np.empty((len(tried), len(small), CELLS * CELLS), np.float32)
    for k, (sx, sy, tx, ty) in enumerate(tried):
        seen = seen_through(sy, ty) @ detail @ seen_through(sx, tx).T
        flat = seen.reshape(len(small), -1)
        flat = flat - flat.mean(1, keepdims=True)
        vectors[k] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return vectors


@dataclass(frozen=True, eq=False)
class Basis:
    """What pictures share (`mean`), and the (CELLS², D) `directions` in which they differ."""

    mean: Floats
    directions: Floats

    @classmethod
    def learnt(cls, small: NDArray[np.uint8]) -> Basis:
        """From a sample of all pictures, evenly spaced, so that it is the same each time."""
        sample = small[:: max(1, -(-len(small) // SAMPLE))]
        vectors = views(sample, poses()[:1])[0].astype(np.float64)
        mean = vectors.mean(0)
        covariance = (vectors - mean).T @ (vectors - mean) / len(vectors)
        values, directions = np.linalg.eigh(covariance)
        keep = min(DIMENSIONS, len(sample) - 1)
        # Directions in which hardly anything differs hold noise: their weight has a bound.
        weight = 1 / np.sqrt(values[-keep:] + 0.1 * values.mean() + 1e-12)
        return cls(mean.astype(np.float32), (directions[:, -keep:] * weight).astype(np.float32))

    def sketches(self, small: NDArray[np.uint8], tried: NDArray[np.float64]) -> Floats:
        """The (K, N, D) unit vectors of pictures in K poses; their products are likenesses."""
        told = (views(small, tried) - self.mean) @ self.directions
        return np.asarray(
            told / np.maximum(np.linalg.norm(told, axis=-1, keepdims=True), 1e-6), np.float32
        )
