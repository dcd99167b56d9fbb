"""What tasks share whose prediction is of the case as a whole, and lies nowhere in its image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from hounsfield.catalog.tables import Catalog
from hounsfield.formats.contract import Source
from hounsfield.preprocessing.contract import Prepared

P = TypeVar("P")


class PerCase(Generic[P]):
    """Members of the task's contract: a prediction neither moves with the image nor needs a file.

    A network's outputs are the prediction, and several predictions become their mean, where a
    task does not say otherwise.
    """

    def masks(self, catalog: Catalog, settings: Any) -> list[Source | None]:
        return [None] * catalog.cases.height

    def from_output(self, output: Any, settings: Any) -> P:
        prediction: P = output
        return prediction

    def mirrored(self, prediction: P, width: int) -> P:
        return prediction

    def combine(self, predictions: Sequence[P]) -> P:
        mean: P = np.mean(np.asarray(predictions), axis=0)
        return mean

    def restore(self, prediction: P, prepared: Prepared) -> P:
        return prediction

    def save(self, prediction: P, folder: Path, case: str) -> None:
        """Nothing lies beside the table."""
