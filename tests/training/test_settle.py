"""What is measured before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hounsfield import workflow

NOTHING = 1e-6  # minutes: no machine learns from all images in that time


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("epochs", [None, 2])
def test_a_budget_bounds_the_epochs_where_nothing_else_is_open(
    tiny_data: Path, tiny_plan: dict[str, Any], tmp_path: Path, epochs: int | None
) -> None:
    """Precision and memory format are given; epochs that are asked for overrule the budget."""
    asked = tiny_plan | {"training.budget": NOTHING, "training.epochs": epochs}
    run = workflow.train(
        tiny_data, {k: v for k, v in asked.items() if v is not None}, out=tmp_path / "run"
    )
    found = run.resolved.choices["training.epochs"]
    assert found.value == (epochs or 1)
    assert found.by == ("user" if epochs else "measured")
    assert bool(found.evidence) == (epochs is None)
