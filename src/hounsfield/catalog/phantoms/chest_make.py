"""Writes the whole data set: patients in parallel processes, tables at the end, one rename."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
from PIL import Image

from hounsfield.catalog.phantoms import chest_layout as layout
from hounsfield.catalog.phantoms.chest_case import Person, Shot, draw_case
from hounsfield.catalog.phantoms.chest_dicom import uids, write_dicom
from hounsfield.catalog.phantoms.chest_render import Picture, lung_mask, render
from hounsfield.catalog.phantoms.chest_xray import Settings, Summary
from hounsfield.files import whole_folder
from hounsfield.memory import keep_buffers

COPY_FOLLOW_UP = 100  # follow-up numbers of copies start here, beyond any real one


def write_all(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None
) -> Summary:
    """The whole data set in the folder `out`, or nothing (`files.whole_folder`).

    Raises:
        InputError: `out` is not empty.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    with whole_folder(out) as work:
        (work / layout.IMAGES).mkdir()
        if settings.masks:
            (work / layout.MASKS).mkdir()
        rows = []
        for done, patient_rows in enumerate(_patients(work, settings), start=1):
            rows += patient_rows
            if progress:
                progress(done, settings.patients)
        split = settings.split or settings.leak > 0
        layout.write_tables(work, rows, split=split, truth=settings.label_noise > 0)
    return Summary(
        patients=settings.patients,
        images=len(rows),
        positive=sum(row.label for row in rows),
        boxes=sum(len(row.boxes) for row in rows if row.label),
        leaked=sum(row.follow_up >= COPY_FOLLOW_UP for row in rows),
        flipped=sum(row.label != row.truth for row in rows),
    )


def _patients(work: Path, settings: Settings) -> Iterator[list[layout.Row]]:
    """The rows of each patient, in order, whatever the number of workers."""
    workers = min(settings.workers or os.cpu_count() or 1, settings.patients)
    parts, leaked = _plan_split(settings)
    if workers == 1:
        yield from map(
            write_patient, range(settings.patients), parts, leaked, repeat((work, settings))
        )
        return
    # The kernels are compiled once here; the workers find them in the cache.
    render(draw_case(0, settings.model_copy(update={"size": 64}))[1][0].exposure)
    start = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(workers, multiprocessing.get_context(start)) as pool:
        jobs = pool.map(
            write_patient,
            range(settings.patients),
            parts,
            leaked,
            repeat((work, settings)),
            chunksize=4,
        )
        try:
            yield from jobs
        finally:
            pool.shutdown(cancel_futures=True)


def _plan_split(settings: Settings) -> tuple[list[str], list[bool]]:
    """The part of each patient, and whether one of their pictures goes into the other part too."""
    rng = np.random.default_rng([settings.seed, 2**32])
    order = rng.permutation(settings.patients)
    test = set(order[: round(settings.test_fraction * settings.patients)].tolist())
    leaked = set(rng.permutation(settings.patients)[: settings.leak].tolist())
    everyone = range(settings.patients)
    return ["test" if p in test else "train" for p in everyone], [p in leaked for p in everyone]


def write_patient(
    patient: int, part: str, leaked: bool, where: tuple[Path, Settings]
) -> list[layout.Row]:
    """Simulate and file one patient; a leaked one's first picture also under a new name."""
    keep_buffers()
    work, settings = where
    person, shots = draw_case(patient, settings)
    rows = []
    for shot in shots:
        picture = render(shot.exposure)
        rows.append(_file(work, settings, (person, shot, picture), part))
        if leaked and shot.follow_up == 0:
            other = "train" if part == "test" else "test"
            rows.append(_file(work, settings, (person, _copy(shot), picture), other))
    return rows


def _copy(shot: Shot) -> Shot:
    """The same picture sent a second time: equal pixels, new identifiers."""
    rng = np.random.default_rng([shot.uid_seed, 2])
    digits = rng.bytes(16).hex()
    image_id = "-".join(
        (digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:])
    )
    return replace(
        shot,
        image_id=image_id,
        follow_up=COPY_FOLLOW_UP + shot.follow_up,
        uid_seed=int(rng.integers(2**62)),
    )


def _file(
    work: Path, settings: Settings, case: tuple[Person, Shot, Picture], part: str
) -> layout.Row:
    person, shot, picture = case
    path = work / layout.IMAGES / f"{shot.image_id}.dcm"
    write_dicom(path, person, shot, picture.pixels, settings.compress)
    if settings.masks:
        mask = Image.fromarray(lung_mask(shot.exposure))
        mask.save(work / layout.MASKS / f"{shot.image_id}.png")
    findings = shot.exposure.findings
    study, series, instance = (str(uid) for uid in uids(shot))
    return layout.Row(
        image_id=shot.image_id,
        patient=person.number,
        follow_up=shot.follow_up,
        uids=(study, series, instance),
        label=shot.label,
        truth=shot.truth,
        normal=findings.normal,
        boxes=picture.boxes,
        nih_labels=findings.nih_labels,
        part=part,
    )
