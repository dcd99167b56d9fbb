"""What an evaluation found, as it is stored and as the report reads it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hounsfield.errors import RunError
from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate
from hounsfield.run import load_model


class Evaluation(BaseModel):
    """One set of predictions, measured. Estimates: overall first, then by class and subgroup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # "test", "val", or the name of another hospital's data
    task: str
    headline: str  # the name of the metric that stands first
    cases: int
    patients: int
    patients_known: dict[str, int]  # given, mapped, guessed, unknown -> cases
    classes: tuple[str, ...] = ()
    estimates: tuple[Estimate, ...]
    fall: Difference | None = None  # of the headline against the internal test
    unlike: int = 0  # cases flagged as unlike the training data
    notes: tuple[str, ...] = ()  # what a reader must know before believing a number

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        path = folder / "evaluation.json"
        if not path.exists():
            raise RunError(
                "there is no evaluation here",
                file=folder,
                remedy="`hounsfield evaluate RUN` makes one",
            )
        return load_model(path, cls)

    def overall(self) -> tuple[Estimate, ...]:
        """The estimates over all cases and all classes."""
        return tuple(e for e in self.estimates if e.group == "all" and e.class_name is None)

    def first(self) -> Estimate:
        """The headline's estimate."""
        return next(e for e in self.overall() if e.metric == self.headline)
