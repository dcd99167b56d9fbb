"""Side letters and short words drawn with strokes: lead on the plate, or text in the picture."""

from __future__ import annotations

from dataclasses import dataclass

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
    "U": [[(0.0, 0.0), *_RING[3:], (0.52, 0.92), (0.62, 0.7), (0.62, 0.0)]],
}  # fmt: skip


@dataclass(frozen=True)
class Marker:
    """A word in the picture; place of its centre and height as shares of the picture's side."""

    word: str
    place: tuple[float, float]
    height: float
    turn: float  # radians
    lead: bool  # on the plate, else printed by the software


def draw_marker(marker: Marker, size: int) -> tuple[tuple[slice, slice], Floats]:
    """Rows and columns that hold the word, and its strokes there, from 0 to 1."""
    step, unit = LETTER_WIDTH + 0.25, marker.height * size
    cos, sin = np.cos(marker.turn), np.sin(marker.turn)
    strokes = [
        np.array(stroke) + np.array([k * step - (len(marker.word) * step - 0.25) / 2, -0.5])
        for k, letter in enumerate(marker.word)
        for stroke in STROKES[letter]
    ]
    points = np.concatenate(strokes) @ np.array([[cos, sin], [-sin, cos]]) * unit
    points += np.array(marker.place) * size
    thick = max(0.085 * unit, 0.6)
    low = np.clip(np.floor(points.min(axis=0) - thick - 2), 0, size - 2).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + thick + 2), low + 1, size).astype(int)
    table = np.column_stack([points - low, np.full((len(points), 2), (thick, 2.0))])
    starts = np.cumsum([0, *map(len, strokes)]).astype(np.int64)
    shells = np.tile(np.array(SOLID, np.float32), (len(strokes), 1))
    columns, rows = high - low
    out = np.zeros((rows, columns), np.float32)
    scratch = np.empty((2, rows, columns), np.float32)
    add_tubes(out, table.astype(np.float32), starts, shells, scratch)
    return (slice(low[1], high[1]), slice(low[0], high[0])), np.minimum(out, 1)
