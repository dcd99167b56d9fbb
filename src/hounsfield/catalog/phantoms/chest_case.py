"""Draws one patient with all exposures: who, when, on which scanner, with what findings."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hounsfield.catalog.phantoms.chest_anatomy import draw_pose, draw_thorax
from hounsfield.catalog.phantoms.chest_findings import Findings, draw_findings
from hounsfield.catalog.phantoms.chest_markers import Marker
from hounsfield.catalog.phantoms.chest_render import Exposure
from hounsfield.catalog.phantoms.chest_scanner import SCANNERS
from hounsfield.catalog.phantoms.chest_xray import Settings

SHORTCUT_WORD = "ICU"
_FAMILY = (
    "Ahl",
    "Bren",
    "Corv",
    "Dase",
    "Elm",
    "Fjor",
    "Grant",
    "Hask",
    "Ives",
    "Jarl",
    "Kova",
    "Lind",
)
_ENDING = (
    "berg",
    "den",
    "ero",
    "field",
    "holt",
    "ison",
    "mann",
    "ova",
    "quist",
    "rand",
    "son",
    "well",
)
_GIVEN = {
    True: ("Anton", "Bruno", "Cyril", "Dario", "Emil", "Felix", "Goran", "Hugo", "Ivan", "Jonas"),
    False: ("Alma", "Berta", "Clara", "Dora", "Edith", "Flora", "Greta", "Hilda", "Irma", "Judith"),
}


@dataclass(frozen=True)
class Person:
    """Invented identity; no part of it belongs to anyone."""

    number: int  # the patient number of the mapping
    name: str
    hospital_id: str
    male: bool
    born: dt.date


@dataclass(frozen=True)
class Shot:
    """One picture to be taken and filed."""

    image_id: str
    follow_up: int
    taken: dt.datetime
    exposure: Exposure
    label: int  # as written in the labels; differs from the truth under label noise
    inverted: bool  # stored as MONOCHROME1
    uid_seed: int

    @property
    def truth(self) -> int:
        return int(bool(self.exposure.findings.opacities))


def draw_case(patient: int, settings: Settings) -> tuple[Person, list[Shot]]:
    """Everything about one patient, from the seed and the patient's number alone."""
    rng = np.random.default_rng([settings.seed, patient])
    thorax = draw_thorax(rng)
    first = dt.datetime(2012, 1, 1) + dt.timedelta(minutes=int(rng.integers(11 * 365 * 24 * 60)))
    person = Person(
        number=patient + 1,
        name=f"{rng.choice(_FAMILY)}{rng.choice(_ENDING)}^{rng.choice(_GIVEN[thorax.male])}",
        hospital_id=f"HX{int(rng.integers(10**7)):07d}",
        male=thorax.male,
        born=first.date() - dt.timedelta(days=int(thorax.age * 365.25 + rng.integers(365))),
    )
    count = settings.images_per_patient or int(rng.choice([1, 2, 3], p=[0.6, 0.27, 0.13]))
    ill, taken = False, first
    shots: list[Shot] = []
    for k in range(count):
        # Seven in ten later pictures keep the state of the one before: the rate stays.
        if k == 0 or rng.random() < 0.3:
            ill = bool(rng.random() < settings.prevalence)
        name = str(rng.choice(list(SCANNERS)))
        exposure = Exposure(
            thorax=thorax,
            pose=draw_pose(rng, thorax, SCANNERS[name].portable, settings.size),
            findings=_findings(rng, ill, name, shots),
            scanner=name,
            markers=_markers(rng, name, ill, settings.shortcut),
            shade=float(rng.normal(0, 0.02)),
            noise_seed=int(rng.integers(2**62)),
        )
        shots.append(
            Shot(
                image_id=str(uuid.UUID(bytes=rng.bytes(16), version=4)),
                follow_up=k,
                taken=taken,
                exposure=exposure,
                label=int(ill ^ bool(rng.random() < settings.label_noise)),
                inverted=bool(rng.random() < settings.monochrome1),
                uid_seed=int(rng.integers(2**62)),
            )
        )
        taken += dt.timedelta(days=int(rng.integers(1, 40)), minutes=int(rng.integers(600)))
    return person, shots


def _findings(rng: Generator, ill: bool, scanner: str, before: list[Shot]) -> Findings:
    """An illness that lasts keeps its place; everything else is drawn anew."""
    drawn = draw_findings(rng, ill, SCANNERS[scanner].portable)
    last = before[-1].exposure.findings.opacities if before else ()
    if ill and last:
        fields = {name: getattr(drawn, name) for name in Findings.__dataclass_fields__}
        return Findings(**{**fields, "opacities": last})
    return drawn


def _markers(rng: Generator, scanner: str, ill: bool, shortcut: float) -> tuple[Marker, ...]:
    """The side letters, and the planted word on a given share of the ill."""
    model = SCANNERS[scanner]
    lead = model.marker == "lead"
    height = 0.042 if lead else 0.030
    markers = []
    for word, x in (("L", 0.935), ("R", 0.065)):
        wobble = rng.normal(0, 1, 3)
        place = (x + 0.012 * float(wobble[0]), 0.11 + 0.02 * float(wobble[1]))
        turn = 0.07 * float(wobble[2]) if lead else 0.0
        if word == "L" or model.both_sides:
            markers.append(Marker(word, place, height, turn, lead))
    planted = rng.random() < shortcut
    if ill and planted:
        markers.append(Marker(SHORTCUT_WORD, (0.09, 0.04), 0.028, 0.0, False))
    return tuple(markers)
