"""Simulated chest radiographs in three public layouts: Cohen's, Mooney's and COVID-19 Radiography.

COVID comes from Cohen's and the Radiography folder, healthy chests from Mooney's and the
Radiography folder. Without the shortcut the sources look alike and the disease shows in the
lungs. With it each source has a look of its own and the disease shows nowhere, so that the
source alone tells the class, and nothing tells it within the one source that holds both.
docs/covid_study.md says what this is for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

COHEN, MOONEY, RADIOGRAPHY = "covid-chestxray-dataset", "chest_xray", "COVID-19_Radiography_Dataset"


class Settings(BaseModel):
    """What to simulate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cohen: int = Field(170, ge=1, le=100_000, description="COVID pictures in Cohen's layout")
    mooney: int = Field(170, ge=1, le=100_000, description="healthy pictures in Mooney's layout")
    radiography: int = Field(
        30, ge=1, le=100_000, description="pictures of each class in the Radiography layout"
    )
    others: int = Field(
        6, ge=1, le=100_000, description="pneumonias that are no COVID, in Cohen's and Mooney's"
    )
    shortcut: bool = Field(
        False, description="each source has a look of its own, and the disease leaves no sign"
    )
    copies: int = Field(
        0,
        ge=0,
        description="pictures of Cohen's and Mooney's that come again in the Radiography folder",
    )
    size: int = Field(128, ge=64, le=4096, multiple_of=64, description="rows and columns in pixels")
    seed: int = Field(0, ge=0, description="the same seed gives the same pictures")
    workers: int = Field(0, ge=0, description="processes; 0: one for each core")


class Summary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    images: int
    covid: int = Field(description="pictures labelled COVID")
    healthy: int = Field(description="pictures labelled healthy")
    patients: int = Field(description="patients in Cohen's table")
    copied: int = Field(description="pictures that stand in two sources")


def make(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None = None
) -> Summary:
    """Write the three data sets side by side into `out`, whole or not at all.

    `progress(pictures done, pictures)`.

    Raises:
        InputError: `out` is not empty, or there are more copies than pictures to copy.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    from hounsfield.catalog.phantoms.covid_sources_make import write_all

    return write_all(Path(out), settings, progress)
