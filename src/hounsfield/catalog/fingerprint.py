"""What a plan is chosen from: facts of the data and of the machine, and choices with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

By = Literal["user", "rule", "measured", "default"]


@dataclass(frozen=True)
class Choice:
    """One value of a plan: where it stands, why it was chosen and by whom."""

    path: str  # "training.epochs"
    value: Any
    reason: str
    by: By = "rule"
    evidence: str | None = None  # the numbers behind the reason


class Machine(BaseModel):
    """What a run may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: int
    memory_gb: float
    gpu: str | None = None
    gpu_memory_gb: float = 0.0


class Fingerprint(BaseModel):
    """The facts of the training data that choices rest on, and that unlike images are told by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: int  # in the training part
    patients: int
    patients_known: dict[str, int]
    height: int  # median, in pixels
    width: int
    smallest: int  # the smallest side of any image
    largest: int
    depth: int  # the largest number of slices
    shallowest: int = 1  # the smallest
    colour: bool
    bits: int = 0  # that a value takes, the most of the files looked at; 0: none could be
    channels: tuple[str, ...]  # the names of a case's inputs
    modalities: dict[str, int]
    formats: dict[str, int]
    classes: dict[str, int]  # what the task stratifies by, in the training part
    sources: dict[str, int]
    machine: Machine

    @property
    def size(self) -> tuple[int, int]:
        """The median (Y, X), as the smallest network can take it."""
        return max(8, self.height), max(8, self.width)

    @property
    def tiny(self) -> bool:
        """Pictures of MedMNIST's size, that are used as they are."""
        return self.largest <= 64
