"""Can the source be told where no disease is to be seen? A small probe on coarse grey values.

Logistic regression on the pictures as the network gets them, shrunk to 32 by 32, cross-validated
by patient and by duplicates. Pictures of one class are probed alone, so that the class cannot
stand for the source (the idea of Maguolo and Nanni 2021, who blacked out the lungs).

All pictures lose the same cells: the outline of each one's own lungs would tell the source again,
by who drew it and how old the patient is.

Each score counts by its place within its own fold: the folds' regressions differ in their
constants, which pooled scores of one order would mix. And as folds share most of what they were
trained on, the intervals are widened (Nadeau and Bengio, Machine Learning 2003).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.findings import counted
from hounsfield.evaluation.estimate import Estimate, estimates
from hounsfield.evaluation.sources import Probe
from hounsfield.metrics import metric
from hounsfield.metrics.contract import Cases

Pictures = NDArray[np.float32]
SIDE = 32  # of the shrunk pictures
BORDER = 0.1  # width of the border, of a side
CENTRE = (0.12, 0.12, 0.88, 0.88)  # top, left, bottom, right: where lungs lie in a radiograph
COVERED = 0.05  # a cell that the lungs of more than this share reach is blanked
FOLDS = 5
FEWEST = 10  # patients of a source
STRENGTH = 0.01  # of the regression: few pictures, many values
WIDER = (1 + FOLDS / (FOLDS - 1)) ** 0.5  # intervals of what folds with common training found


@dataclass(frozen=True, eq=False)
class Probed:
    """What is probed. small: (N, SIDE, SIDE) of `shrunk`. group: patients and duplicates, N."""

    small: Pictures
    truth: NDArray[np.str_]
    source: NDArray[np.str_]
    group: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lungs:
    """What is blanked, (SIDE, SIDE) of the shrunk pictures, and how it was found."""

    cells: NDArray[np.bool_]
    how: str


def probe_sources(probed: Probed, lungs: Lungs, seed: int = 0) -> tuple[Probe, ...]:
    """Whole pictures, all but the lungs, and the border alone; of each class from two sources.

    Where no class comes from two sources, all pictures together: class and source are then one.
    """
    return probe_looks(
        probed, {"whole": whole(), "lungs blanked": ~lungs.cells, "border": border()}, seed
    )


def probe_looks(
    probed: Probed, looks: Mapping[str, NDArray[np.bool_]], seed: int = 0
) -> tuple[Probe, ...]:
    """The same from any cells (SIDE, SIDE) of the pictures, by name."""
    found = []
    for name, rows in _sets(probed):
        for look, kept in looks.items():
            if not kept.any():  # the lungs fill the pictures
                continue
            found.append(_probe(probed, rows, (look, name), kept, seed))
    return tuple(found)


def shrunk(pictures: Pictures, side: int = SIDE) -> Pictures:
    """(N, Y, X) to the means of (N, side, side) cells; a smaller picture repeats its pixels."""
    for axis in (1, 2):
        size = pictures.shape[axis]
        edges = np.arange(side + 1) * size // side
        cells = np.add.reduceat(pictures, edges[:-1], axis=axis, dtype=np.float32)
        shape = [1, 1, 1]
        shape[axis] = side
        pictures = cells / np.maximum(np.diff(edges), 1).reshape(shape).astype(np.float32)
    return pictures


def lung_cells(masks: list[NDArray[np.bool_]]) -> Lungs:
    """What the lungs of these masks cover; of any size, on the frame of the network's input.

    Without masks it is the middle of the picture.
    """
    usable = [mask for mask in masks if mask.any()]
    if not usable:
        top, left, bottom, right = (round(share * SIDE) for share in CENTRE)
        cells = ~whole()
        cells[top:bottom, left:right] = True
        return Lungs(cells, "the middle of each picture, as no source has masks of lungs")
    covered = np.zeros((SIDE, SIDE))
    for mask in usable:
        covered += shrunk(mask[None].astype(np.float32))[0] > 0
    how = (
        f"where masks of {counted(len(usable), 'picture')} show lungs, the same cells in all "
        "pictures, because the outline of each one's own lungs could tell the source"
    )
    return Lungs(covered > COVERED * len(usable), how)


def whole() -> NDArray[np.bool_]:
    return np.ones((SIDE, SIDE), np.bool_)


def border() -> NDArray[np.bool_]:
    kept, width = whole(), max(round(BORDER * SIDE), 1)
    kept[width:-width, width:-width] = False
    return kept


def _sets(probed: Probed) -> Iterator[tuple[str | None, NDArray[np.int64]]]:
    """Each class with its pictures from sources that have enough; all, where there is none."""
    some = False
    for name in np.unique(probed.truth):
        mine = np.flatnonzero(probed.truth == name)
        some = some or len(np.unique(probed.source[mine])) > 1
        rows = _enough(probed, mine)
        if len(rows):
            yield str(name), rows
    every = _enough(probed, np.arange(len(probed.truth)))
    if not some and len(every):
        yield None, every


def _enough(probed: Probed, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of sources with enough patients; none where fewer than two are left."""
    sources = [
        name
        for name in np.unique(probed.source[rows])
        if len(np.unique(probed.group[rows][probed.source[rows] == name])) >= FEWEST
    ]
    kept = rows[np.isin(probed.source[rows], sources)]
    return kept if len(sources) > 1 else kept[:0]


def _probe(
    probed: Probed,
    rows: NDArray[np.int64],
    what: tuple[str, str | None],
    kept: NDArray[np.bool_],
    seed: int,
) -> Probe:
    names, truth = np.unique(probed.source[rows], return_inverse=True)
    group = probed.group[rows]
    places, called = _out_of_fold(probed.small[rows][:, kept], truth, group, seed)
    classes = tuple(map(str, names))
    cases = Cases(truth.astype(np.int64), places, called, classes, group)
    found = estimates([metric("auroc"), metric("balanced_accuracy")], cases)
    auroc, accuracy = map(_widened, found)
    look, class_name = what
    return Probe(
        look=look,
        class_name=class_name,
        sources=classes,
        auroc=auroc,
        accuracy=accuracy,
        chance=1 / len(classes),
    )


def _widened(found: Estimate) -> Estimate:
    """Folds that share training cases err together: pooled, they scatter more than they show."""
    low = found.value - WIDER * (found.value - found.low)
    high = found.value + WIDER * (found.high - found.value)
    return found.model_copy(update={"low": max(low, 0.0), "high": min(high, 1.0)})


def _out_of_fold(
    values: NDArray[np.float32], truth: NDArray[np.int64], group: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N, K) places within each fold and (N,) sources called; no row's group was trained on."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    places = np.zeros((len(truth), int(truth.max()) + 1))
    called = np.zeros(len(truth), np.int64)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(values, truth, group):
        # Rare and common sources weigh the same: what guesses the commonest is at chance.
        regression = LogisticRegression(C=STRENGTH, max_iter=200, class_weight="balanced")
        model = make_pipeline(StandardScaler(), regression)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough, and regularised
            model.fit(values[train], truth[train])
        chances = np.zeros((len(test), places.shape[1]))
        chances[:, model.classes_] = model.predict_proba(values[test])
        places[test], called[test] = _places(chances, truth[test]), chances.argmax(1)
    return places, called


def _places(chances: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N, K) the place of each chance among the fold's, 0 to 1, ties in the middle.

    A source weighs as much as all the others, however few of its pictures are in the fold.
    """
    places = np.zeros_like(chances)
    for k, mine in enumerate(chances.T):
        sides = [side for side in (mine[truth == k], mine[truth != k]) if len(side)]
        for side in map(np.sort, sides):
            below = np.searchsorted(side, mine, "left") + np.searchsorted(side, mine, "right")
            places[:, k] += below / (2 * len(side) * len(sides))
    return places
