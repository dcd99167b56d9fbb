"""Simulated chest CT: a round nodule, or none, among vessels that look like it in one slice.

A nodule spans a few slices, a vessel all of them; only their length tells them apart. So what a
network can know from one slice, from three and from the whole volume is known beforehand.
docs/phantoms.md tells what is drawn and the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """What to simulate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patients: int = Field(300, ge=1, le=100_000, description="number of patients")
    scans: int = Field(1, ge=1, le=9, description="scans of each patient, with and without nodule")
    prevalence: float = Field(0.5, ge=0, le=1, description="share of scans with a nodule")
    size: int = Field(48, ge=16, le=512, description="pixels a side of a slice")
    slices: int = Field(12, ge=3, le=512, description="slices of a volume")
    field: float = Field(144.0, gt=40, le=500, description="mm that a slice spans")
    thickness: float = Field(5.0, ge=0.5, le=20, description="mm of a slice; they touch")
    diameter: tuple[float, float] = Field(
        (9.0, 13.0),
        description="mm, from and to: vessels and nodules as the middle slice cuts them",
    )
    vessels: tuple[int, int] = Field((3, 6), description="round things in the middle slice")
    off: float = Field(
        0.25, ge=0, description="slices that a nodule's centre may lie off the middle slice's"
    )
    noise: float = Field(30.0, ge=0, description="standard deviation in HU")
    seed: int = Field(0, ge=0, description="the same seed gives the same files, byte for byte")


class Summary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    patients: int
    scans: int
    lesions: int


def make(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None = None
) -> Summary:
    """Write the data set into `out`, whole or not at all; `progress(patients done, patients)`.

    Raises:
        InputError: `out` exists and is not empty, or the settings leave no room in the lung.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    from hounsfield.catalog.phantoms.ct_lesion_make import write_all

    return write_all(Path(out), settings, progress)
