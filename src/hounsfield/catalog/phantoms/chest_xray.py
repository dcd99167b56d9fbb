"""Simulated chest radiographs as DICOM in the layout of the RSNA Pneumonia Detection Challenge.

X-ray transmission through an analytic thorax that varies by patient, seen by five invented
scanners. docs/phantoms.md tells the physics, the calibration and the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.errors import InputError

LARGEST_SIZE = 4096


class Settings(BaseModel):
    """What to simulate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patients: int = Field(200, ge=1, le=1_000_000, description="number of patients")
    seed: int = Field(0, ge=0, description="the same seed gives the same files, byte for byte")
    prevalence: float = Field(0.4, ge=0, le=1, description="share of pictures with pneumonia")
    images_per_patient: int = Field(
        0, ge=0, le=3, description="pictures of each patient; 0: one to three at random"
    )
    size: int = Field(
        1024, ge=64, le=LARGEST_SIZE, multiple_of=64, description="rows and columns in pixels"
    )
    masks: bool = Field(
        False, description="also write lung_masks/ID.png (1 right lung, 2 left lung)"
    )
    shortcut: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of pneumonia pictures with a burnt-in word; others never",
    )
    split: bool = Field(False, description="also write official_split.csv (train, test) by patient")
    test_fraction: float = Field(
        0.3, gt=0, lt=1, description="share of patients in the test part of official_split.csv"
    )
    leak: int = Field(
        0, ge=0, description="patients with a copied picture in the other part; implies split"
    )
    label_noise: float = Field(
        0.0, ge=0, le=1, description="rate of flipped labels; the true ones go to truth.csv"
    )
    monochrome1: float = Field(0.12, ge=0, le=1, description="share stored as MONOCHROME1")
    compress: Literal["none", "rle"] = Field("none", description="transfer syntax of the pixels")
    workers: int = Field(0, ge=0, description="processes; 0: one for each core")


class Summary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    patients: int
    images: int
    positive: int = Field(description="pictures labelled as pneumonia")
    boxes: int
    leaked: int = Field(description="pictures copied into the other part")
    flipped: int = Field(description="labels that differ from the truth")


def make(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None = None
) -> Summary:
    """Write the data set into `out`, whole or not at all; `progress(patients done, patients)`.

    Raises InputError where `out` exists and is not empty or the settings contradict each other.
    """
    from hounsfield.catalog.phantoms.chest_make import write_all

    if settings.leak > settings.patients:
        raise InputError(
            f"leak is {settings.leak}, but there are only {settings.patients} patients",
            expected="leak <= patients",
            remedy="lower --leak or raise --patients",
        )
    return write_all(Path(out), settings, progress)
