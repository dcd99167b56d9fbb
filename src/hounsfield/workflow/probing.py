"""The probe of the source, on the pictures that a run's network was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.audit.source_probe import Lungs, Pictures
    from hounsfield.catalog import Catalog
    from hounsfield.catalog.sources import Cohort
    from hounsfield.evaluation.sources import Probe
    from hounsfield.run import Run
    from hounsfield.training.study import Study

CHUNK = 64  # pictures in memory at full size
MOST_MASKS = 200  # that say where the lungs are
LUNGS = "lung"  # the masks' name


def probe(run: Run, catalog: Catalog, chosen: Cohort, seed: int) -> tuple[tuple[Probe, ...], str]:
    """What tells the source of the run's pictures, and how their lungs were found."""
    import numpy as np

    from hounsfield.audit.source_probe import Probed, probe_sources
    from hounsfield.workflow.training import study_of

    study = study_of(run)
    here = set(study.catalog.cases["case"])
    rows = [row for row, case in enumerate(catalog.cases["case"]) if case in here]
    cases = [catalog.cases["case"][row] for row in rows]
    probed = Probed(
        small_pictures(study, cases),
        np.array([chosen.labels[row] for row in rows]),
        np.array([chosen.sources[row] for row in rows]),
        _groups(catalog, chosen)[rows],
    )
    lungs = _lungs(study)
    return probe_sources(probed, lungs, seed), lungs.how


def small_pictures(study: Study, cases: list[str]) -> Pictures:
    """What the network was given of these cases, (N, SIDE, SIDE), means over slices."""
    import numpy as np

    from hounsfield.audit.source_probe import shrunk

    small = [
        shrunk(study.cache.images(cases[at : at + CHUNK]).mean(axis=(1, 2)))
        for at in range(0, len(cases), CHUNK)
    ]
    return np.concatenate(small)


def _groups(catalog: Catalog, chosen: Cohort) -> NDArray[np.int64]:
    """One number for all cases of a patient, and for all copies of a picture."""
    import numpy as np

    from hounsfield.catalog.deal import connected

    cases, patients = catalog.cases["case"].to_list(), catalog.cases["patient"].to_list()
    row_of = {case: row for row, case in enumerate(cases)}
    links: dict[object, list[int]] = {}
    for row, patient in enumerate(patients):
        links.setdefault(patient, []).append(row)
    together = [[row_of[case] for case in group] for group in chosen.groups]
    numbers = np.zeros(len(cases), np.int64)
    for number, rows in enumerate(connected(len(cases), [*links.values(), *together])):
        numbers[rows] = number
    return numbers


def _lungs(study: Study) -> Lungs:
    """Where lungs lie in the network's input, from the masks that some sources have."""
    import polars as pl

    from hounsfield import formats
    from hounsfield.audit.source_probe import lung_cells

    masks = study.catalog.annotations.filter(
        (pl.col("kind") == "mask") & (pl.col("name") == LUNGS) & pl.col("mask").is_not_null()
    ).select("case", "mask")
    every = max(1, masks.height // MOST_MASKS)
    some = masks.gather_every(every).head(MOST_MASKS)
    found = []
    for case, source in zip(
        some["case"], study.catalog.sources(some["mask"].to_list()), strict=True
    ):
        mask = formats.read(source).array.max(axis=(0, 1)) > 0
        found.append(_on_input(mask, study, case))
    return lung_cells(found)


def _on_input(mask: NDArray[np.bool_], study: Study, case: str) -> NDArray[np.bool_]:
    """A mask of any size that shows the whole picture, on the grid of the network's input."""
    import numpy as np

    prepared = study.cache.prepared(case)
    matrix, index, inside = prepared.original_from_prepared, [], []
    for axis, size in ((1, prepared.original[0]), (0, prepared.original[1])):  # rows are y
        target = np.arange(prepared.array.shape[3 - axis])
        share = (target * matrix[axis, axis] + matrix[axis, 2] + 0.5) / size
        own = mask.shape[1 - axis]
        inside.append((share >= 0) & (share < 1))
        index.append(np.clip(np.floor(share * own), 0, own - 1).astype(np.int64))
    moved: NDArray[np.bool_] = mask[index[0]][:, index[1]] & inside[0][:, None] & inside[1]
    return moved
