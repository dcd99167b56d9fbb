"""Side letters and short words, drawn with strokes: as lead on the plate or as text in the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_bones import SOLID
from hounsfield.catalog.phantoms.chest_kernels import add_tubes

Floats = NDArray[np.float32]
LETTER_WIDTH = 0.62
# Strokes in a box of height 1 and width LETTER_WIDTH; y runs down.
_BOW = [(0.0, 0.0), (0.4, 0.0), (0.58, 0.12), (0.58, 0.38), (0.4, 0.5), (0.0, 0.5)]
_RING = [(0.31, 0.0), (0.1, 0.08), (0.0, 0.3), (0.0, 0.7), (0.1, 0.92), (0.31, 1.0)]
STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0.0, 1.0), (0.31, 0.0), (0.62, 1.0)], [(0.12, 0.64), (0.5, 0.64)]],
    "C": [[(0.58, 0.16), (0.44, 0.0), *_RING, (0.44, 1.0), (0.58, 0.84)]],
    "I": [[(0.31, 0.0), (0.31, 1.0)]],
    "L": [[(0.0, 0.0), (0.0, 1.0), (0.55, 1.0)]],
    "O": [[*_RING, *[(0.62 - x, y) for x, y in reversed(_RING)]]],
    "P": [[(0.0, 1.0), *_BOW]],
    "R": [[(0.0, 1.0), *_BOW], [(0.26, 0.5), (0.62, 1.0)]],
    "T": [[(0.0, 0.0), (0.62, 0.0)], [(0.31, 0.0), (0.31, 1.0)]],
    "U": [[(0.0, 0.0), (0.0, 0.75), (0.12, 0.95), (0.31, 1.0), (0.5, 0.95), (0.62, 0.75), (0.62, 0.0)]],
}  # fmt: skip


def word_map(
    word: str, size: int, place: tuple[float, float], height: float, turn: float, scratch: Floats
) -> Floats:
    """A word's strokes as a map from 0 to 1 (rows, columns).

    `place` is the word's centre and `height` its letters' height, as shares of the picture's
    side; `turn` in radians.
    """
    width = (len(word) * (LETTER_WIDTH + 0.25) - 0.25) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    points, starts = [], [0]
    for k, letter in enumerate(word):
        for stroke in STROKES[letter]:
            at = np.array(stroke) + (k * (LETTER_WIDTH + 0.25) - width, -0.5)
            at = at @ np.array([[cos, sin], [-sin, cos]]) * height * size
            points.append(at + np.array(place) * size)
            starts.append(starts[-1] + len(stroke))
    flat = np.concatenate(points)
    thick = np.full((len(flat), 1), max(0.085 * height * size, 0.6))
    table = np.hstack([flat, thick, np.full_like(thick, 2.0)]).astype(np.float32)
    out = np.zeros((size, size), np.float32)
    shells = np.tile(np.array(SOLID, np.float32), (len(starts) - 1, 1))
    add_tubes(out, table, np.array(starts, np.int64), shells, scratch)
    return np.minimum(out, 1)
