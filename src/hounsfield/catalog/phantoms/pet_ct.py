"""Simulated whole-body PET/CT: two DICOM series a patient, lesions of known SUV.

An analytic body seen by a CT and by a PET scanner that share one frame of reference, or do not
quite: breathing and a known shift can be planted. docs/pet.md tells what is drawn and the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Three = tuple[float, float, float]


class Settings(BaseModel):
    """What to simulate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patients: int = Field(2, ge=1, le=100_000, description="number of patients")
    seed: int = Field(0, ge=0, description="the same seed gives the same files, byte for byte")
    form: Literal["dicom", "nifti"] = Field(
        "dicom", description="DICOM series, or SUV, CTres, SEG … as autoPET's NIfTI"
    )
    lesions: int = Field(6, ge=0, le=12, description="lesions of each patient who has some")
    healthy: float = Field(0.0, ge=0, le=1, description="share of patients without lesions")
    psf: float = Field(6.0, ge=0, le=20, description="blur of the PET in mm, full width at half")
    counts: float = Field(
        150.0, ge=0, description="counts in a voxel of SUV 1: fewer are noisier; 0: no noise"
    )
    breathing: float = Field(
        0.0, ge=0, le=40, description="mm that the diaphragm stands lower in the CT than in the PET"
    )
    shift: Three = Field(
        (0.0, 0.0, 0.0), description="mm (right, front, up) that the body lies off in the PET"
    )
    turn: Three = Field(
        (0.0, 0.0, 0.0), description="degrees about these axes that it is turned in the PET"
    )
    other_frame: bool = Field(False, description="PET and CT tell different frames of reference")
    voxel: float = Field(
        4.0, ge=2, le=12, description="PET voxel in mm across; 5/4 of it along; CT's are finer"
    )


class Summary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    patients: int
    files: int
    lesions: int


def make(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None = None
) -> Summary:
    """Write the data set into `out`, whole or not at all; `progress(patients done, patients)`.

    Raises:
        InputError: `out` exists and is not empty.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    from hounsfield.catalog.phantoms.pet_ct_make import write_all

    return write_all(Path(out), settings, progress)
