"""One seeded cell of the coverage simulation; all of them: tests/long/interval_coverage.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hounsfield.metrics import metric


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(__file__).parents[1] / "long" / "interval_coverage.py"
    spec = importlib.util.spec_from_file_location("long_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["long_coverage"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_truths_are_those_of_a_very_large_test_set(simulation: ModuleType) -> None:
    cell = simulation.Cell(100_000, 0.1, 0.95)
    cases = simulation.draw(cell, np.random.default_rng(0))
    for name, expected in simulation.truths(cell).items():
        assert metric(name).point(cases) == pytest.approx(expected, abs=0.006), name


@pytest.mark.parametrize(("names", "replicates"), [("CHEAP", 400), ("DRAWN", 100)])
def test_intervals_hold_the_truth(simulation: ModuleType, names: str, replicates: int) -> None:
    """100 patients, prevalence 0.5, AUROC 0.7. The bounds leave three standard errors to chance."""
    cell = simulation.CELLS[6]
    assert (cell.patients, cell.prevalence, cell.auroc) == (100, 0.5, 0.7)
    error = 100 * np.sqrt(0.95 * 0.05 / replicates)
    for result in simulation.measure(cell, getattr(simulation, names), replicates):
        assert 95 - 3 * error <= result["coverage"], result
        assert result["undefined"] == 0
        # Both ends are tested: an endless interval would hold the truth too.
        assert result["width"] < 0.35
