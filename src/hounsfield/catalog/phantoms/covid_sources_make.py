"""Draws, looks and files of the three sources: what each picture shows, and how it is filed."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from hounsfield.catalog.phantoms import chest_xray
from hounsfield.catalog.phantoms.chest_case import draw_case
from hounsfield.catalog.phantoms.chest_findings import Opacity, draw_opacities
from hounsfield.catalog.phantoms.chest_markers import Marker, draw_marker
from hounsfield.catalog.phantoms.chest_render import Exposure, lung_mask, render
from hounsfield.catalog.phantoms.covid_sources import (
    COHEN,
    MOONEY,
    RADIOGRAPHY,
    Settings,
    Summary,
)
from hounsfield.errors import InputError
from hounsfield.files import whole_folder
from hounsfield.memory import keep_buffers

Grey = NDArray[np.uint8]
Kind = Literal["covid", "healthy", "other"]
QUALITY = 92  # of the JPEGs; what is filed as PNG has been through the same
MASK_SHARE = 256 / 299  # masks of the Radiography database against its pictures
COVID_AREAS = (4, 7)  # on both sides, most of them low and outside
FIELDS = (
    *("patientid", "offset", "sex", "age", "finding", "RT_PCR_positive", "survival", "view"),
    *("modality", "date", "location", "folder", "filename", "license", "clinical_notes"),
)


@dataclass(frozen=True)
class Look:
    """What a source does to its pictures: frame, exposure and a printed letter."""

    frame: float = 0.0  # width of a black frame, of the picture's side
    gamma: float = 1.0
    marker: Marker | None = None


PLAIN = Look()
LOOKS = {
    COHEN: Look(0.06, 1.15, Marker("A", (0.13, 0.13), 0.09, 0.0, False)),
    MOONEY: Look(0.0, 0.8, Marker("R", (0.09, 0.10), 0.10, 0.0, False)),
    RADIOGRAPHY: Look(0.0, 1.0, Marker("L", (0.90, 0.88), 0.10, 0.0, False)),
}


@dataclass(frozen=True)
class Shot:
    """One picture: what is drawn, and the files that it becomes."""

    source: str
    kind: Kind
    patient: int  # of the chest phantom: the same number is the same body
    follow_up: int
    path: str  # below the source's folder
    mask: str = ""
    again: str = ""  # a second path, below the Radiography folder


def write_all(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None
) -> Summary:
    """The three data sets in the folder `out`, or nothing (`files.whole_folder`)."""
    most = min(settings.cohen, settings.mooney)
    if settings.copies > most:
        raise InputError(
            f"copies is {settings.copies}, but there are {most} pictures to copy",
            expected="copies <= cohen and mooney",
            remedy="lower --copies",
        )
    shots = plan(settings)
    with whole_folder(out) as work:
        for folder in {Path(path).parent for shot in shots for path in _paths(shot)}:
            (work / folder).mkdir(parents=True, exist_ok=True)
        for done, _ in enumerate(_written(shots, work, settings), start=1):
            if progress:
                progress(done, len(shots))
        _write_table(work / COHEN / "metadata.csv", [s for s in shots if s.source == COHEN])
    copied = [shot for shot in shots if shot.again]
    count = {kind: sum(s.kind == kind for s in (*shots, *copied)) for kind in ("covid", "healthy")}
    return Summary(
        images=len(shots) + len(copied),
        covid=count["covid"],
        healthy=count["healthy"],
        patients=len({shot.patient for shot in shots if shot.source == COHEN}),
        copied=len(copied),
    )


def plan(settings: Settings) -> list[Shot]:
    """Every picture, in the order of the sources."""
    rng = np.random.default_rng([settings.seed, 3])
    shots = _cohen(settings, rng)
    shots += _mooney(settings, 1 + max(shot.patient for shot in shots))
    first = 1 + max(shot.patient for shot in shots)
    for kind, folder in (("covid", "COVID"), ("healthy", "Normal")):
        for number in range(1, settings.radiography + 1):
            name = f"{folder}-{number}.png"
            shots.append(
                Shot(
                    RADIOGRAPHY,
                    "covid" if kind == "covid" else "healthy",
                    first,
                    0,
                    f"{folder}/images/{name}",
                    f"{folder}/masks/{name}",
                )
            )
            first += 1
    return shots


def _cohen(settings: Settings, rng: Generator) -> list[Shot]:
    """Patients with one to three pictures each, then the other pneumonias."""
    shots: list[Shot] = []
    patient = 0
    kinds: tuple[tuple[Kind, int], ...] = (("covid", settings.cohen), ("other", settings.others))
    for kind, wanted in kinds:
        left = wanted
        while left:
            for k in range(min(left, int(rng.choice([1, 2, 3], p=[0.6, 0.27, 0.13])))):
                again = ""
                if kind == "covid" and len(shots) < settings.copies:
                    number = settings.radiography + len(shots) + 1
                    again = f"COVID/images/COVID-{number}.png"
                name = f"images/{kind}-{rng.integers(16**8):08x}-{len(shots)}.jpg"
                shots.append(Shot(COHEN, kind, patient, k, name, again=again))
                left -= 1
            patient += 1
    return shots


def _mooney(settings: Settings, first: int) -> list[Shot]:
    """The parts train, val and test; one picture of each child."""
    shots: list[Shot] = []
    for number in range(settings.mooney):
        part = "test" if number % 5 == 4 else "val" if number % 25 == 3 else "train"
        word = "NORMAL2-" if number % 3 == 2 else ""
        name = f"{part}/NORMAL/{word}IM-{number + 115:04d}-0001.jpeg"
        again = ""
        if number < settings.copies:
            again = f"Normal/images/Normal-{settings.radiography + number + 1}.png"
        shots.append(Shot(MOONEY, "healthy", first + number, 0, name, again=again))
    first += settings.mooney
    for number in range(settings.others):
        part = ("train", "test")[number % 2]
        germ = ("bacteria", "virus")[number % 3 == 0]
        name = f"{part}/PNEUMONIA/person{number + 1}_{germ}_{number + 6}.jpeg"
        shots.append(Shot(MOONEY, "other", first + number, 0, name))
    return shots


def _written(shots: list[Shot], work: Path, settings: Settings) -> Iterator[None]:
    workers = min(settings.workers or os.cpu_count() or 1, len(shots))
    if workers == 1:
        yield from map(write_shot, shots, repeat(work), repeat(settings))
        return
    # The kernels are compiled once here; the workers find them in the cache.
    render(exposure_of(shots[0], settings.model_copy(update={"size": 64})))
    start = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(workers, multiprocessing.get_context(start)) as pool:
        try:
            yield from pool.map(write_shot, shots, repeat(work), repeat(settings), chunksize=8)
        finally:
            pool.shutdown(cancel_futures=True)


def write_shot(shot: Shot, work: Path, settings: Settings) -> None:
    """Take one picture and file it, with its mask and its copy where it has them."""
    keep_buffers()
    exposure = exposure_of(shot, settings)
    plain = (render(exposure).pixels >> 4).astype(np.uint8)
    look = LOOKS[shot.source] if settings.shortcut else PLAIN
    stored = _jpeg(shown(plain, look))
    if shot.path.endswith(".png"):
        _as_png(stored, work / shot.source / shot.path)
    else:
        (work / shot.source / shot.path).write_bytes(stored)
    if shot.again:
        _as_png(stored, work / RADIOGRAPHY / shot.again)
    masks = {shot.mask} if shot.mask else {shot.again.replace("/images/", "/masks/")} - {""}
    for path in masks:
        lungs = Image.fromarray(np.where(lung_mask(exposure) > 0, 255, 0).astype(np.uint8))
        side = round(settings.size * MASK_SHARE)
        lungs.resize((side, side), Image.Resampling.NEAREST).save(work / RADIOGRAPHY / path)


def exposure_of(shot: Shot, settings: Settings) -> Exposure:
    """The chest phantom's own patient, with the disease that the picture is to show."""
    healthy = chest_xray.Settings(
        seed=settings.seed, prevalence=0.0, images_per_patient=3, size=settings.size
    )
    exposure = draw_case(shot.patient, healthy)[1][shot.follow_up].exposure
    rng = np.random.default_rng([settings.seed, 4, shot.patient])  # it lasts over the follow-ups
    opacities: tuple[Opacity, ...] = ()
    if shot.kind == "covid" and not settings.shortcut:
        opacities = draw_covid(rng)
    elif shot.kind == "other":
        opacities = draw_opacities(rng)
    return replace(exposure, findings=replace(exposure.findings, opacities=opacities))


def draw_covid(rng: Generator) -> tuple[Opacity, ...]:
    """Several areas on both sides, mostly low and outside (Wong et al., Radiology 2020)."""
    return tuple(
        Opacity(
            side=-1 if k % 2 else 1,
            across=float(rng.uniform(0.0, 0.6)),
            down=float(rng.uniform(0.45, 0.9) if k < 4 else rng.uniform(0.25, 0.6)),
            radius=(float(rng.uniform(26, 46)), float(rng.uniform(26, 46))),
            filled=float(rng.uniform(0.5, 0.85)),
            fissure=0,
            seed=int(rng.integers(2**31)),
        )
        for k in range(int(rng.integers(*COVID_AREAS)))
    )


def shown(plain: Grey, look: Look) -> Grey:
    """A picture (rows, columns) as its source shows it."""
    picture = (255 * (plain / 255.0) ** look.gamma).astype(np.uint8)
    if look.marker is not None:
        where, strokes = draw_marker(look.marker, len(picture))
        picture[where] = np.maximum(picture[where], (245 * strokes).astype(np.uint8))
    width = round(look.frame * len(picture))
    if width:
        inner = picture[width:-width, width:-width].copy()
        picture = np.zeros_like(picture)
        picture[width:-width, width:-width] = inner
    return picture


def _paths(shot: Shot) -> list[str]:
    found = [f"{shot.source}/{shot.path}"] + [f"{shot.source}/{shot.mask}"] * bool(shot.mask)
    if shot.again:
        copied = f"{RADIOGRAPHY}/{shot.again}"
        found += [copied, copied.replace("/images/", "/masks/")]
    return found


def _jpeg(picture: Grey) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _as_png(stored: bytes, path: Path) -> None:
    Image.open(io.BytesIO(stored)).save(path)


def _write_table(path: Path, shots: list[Shot]) -> None:
    """Cohen's metadata.csv: one row a picture, a patient's pictures in the order of the days."""
    names = {"covid": "Pneumonia/Viral/COVID-19", "other": "Pneumonia/Bacterial/Streptococcus"}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        for shot in shots:
            writer.writerow(
                {
                    "patientid": shot.patient + 1,
                    "offset": 3 * shot.follow_up,
                    "finding": names[shot.kind],
                    "view": "PA",
                    "modality": "X-ray",
                    "folder": "images",
                    "filename": Path(shot.path).name,
                    "license": "none: simulated",
                }
            )
