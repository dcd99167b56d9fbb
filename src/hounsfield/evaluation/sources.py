"""What a number on merged sources is worth, as it is stored and as the page reads it.

A class that comes from some sources only can be told by the source. Three measurements say
whether it was: the mixed test, each source left out of the training, and a probe that tells
the source where no disease is to be seen (Zech et al., PLOS Medicine 2018; DeGrave et al.,
Nature Machine Intelligence 2021; Maguolo and Nanni, Information Fusion 2021).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.findings import Finding
from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.record import Evaluation
from hounsfield.run import load_model, save_model

FILE = "leave_out.json"
Counts = dict[str, dict[str, int]]  # class -> source -> cases


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Unseen(_Frozen):
    """One source left out: a network trained on the others, measured on it.

    fall: the mixed test minus this one, of the headline, or of the one class's recall where the
    source holds one class. paired: the same on the pictures that both tested, where there are any.
    """

    source: str
    run: str  # the run's folder, below the study's
    tested: dict[str, int]  # class -> cases of the source
    trained: int  # cases of the training part
    estimates: tuple[Estimate, ...]
    fall: Difference
    paired: Difference | None

    @property
    def whole(self) -> bool:
        """Does the source hold every class, so that an AUROC can be measured on it?"""
        return all(self.tested.values())


class Probe(_Frozen):
    """How well the source is told from a part of the pictures, within one class where it may be.

    chance: what guessing reaches of the balanced accuracy; that of an AUROC is 0.5.
    """

    look: str  # "whole", "lungs blanked", "border"
    class_name: str | None  # None: all classes, where none comes from two sources
    sources: tuple[str, ...]
    auroc: Estimate
    accuracy: Estimate  # balanced
    chance: float

    @property
    def told(self) -> bool:
        """Is it surely better than guessing?"""
        return self.auroc.low > 0.5


class SourceStudy(_Frozen):
    """The study: the mixed test, the unseen sources, the probes, and what they say in words."""

    version: int = 1
    by: str  # the column of the sources
    classes: tuple[str, ...]
    counts: Counts
    cramers_v: float | None  # of class and source
    mixed: Evaluation
    trained: int  # cases of the mixed training part
    unseen: tuple[Unseen, ...]
    impossible: dict[str, str]  # sources that cannot be left out -> why
    probes: tuple[Probe, ...]
    blanked: str  # how the lungs were found
    notes: tuple[str, ...]  # how the cases were chosen and split
    findings: tuple[Finding, ...] = ()  # the verdict first

    def save(self, folder: Path) -> Path:
        path = folder / FILE
        save_model(path, self)
        return path

    @classmethod
    def load(cls, folder: Path) -> SourceStudy:
        """The study in a folder; raises RunError where there is none or it is damaged."""
        return load_model(folder / FILE, cls)
