"""What image and table add to each other, where the truth is known by construction."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield.errors import InputError, UsageError
from hounsfield.evaluation.added_value import AddedValue
from hounsfield.run import Run
from hounsfield.workflow import index, predict, resume, train

COUNT, SIDE = 360, 12


def make_data(folder: Path, *, age: float, image: float, seed: int = 0) -> Path:
    """Pictures of noise with a bright corner, and a table; how strongly each tells the label.

    The view is drawn by chance: it tells nothing.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "patient", "label", "age", "sex", "view"])
        for i in range(COUNT):
            sick = i % 2
            pixels = rng.normal(120, 25, (SIDE, SIDE))
            pixels[:4, :4] += image * 25 * sick
            Picture.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
                folder / f"images/i{i:03}.png"
            )
            years = np.clip(rng.normal(50 + 12 * age * sick, 12), 18, 95)
            label = ("healthy", "sick")[sick]
            facts = [round(float(years)), rng.choice(["F", "M"]), rng.choice(["AP", "PA"])]
            table.writerow([f"images/i{i:03}.png", f"p{i}", label, *facts])
    return folder


@pytest.fixture
def asked(tiny_plan: dict[str, Any]) -> dict[str, Any]:
    return tiny_plan | {
        "model.settings.widths": (8,),
        "model.settings.blocks": (1,),
        "data.train": 0.4,
        "data.val": 0.2,
        "data.test": 0.4,
        "training.epochs": 8,
        "training.learning_rate": 0.01,
        "evaluation.resamples": 200,
        "preprocessing.size": (SIDE, SIDE),
    }


def test_the_age_that_makes_the_label_is_shown_to_add(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    data = make_data(tmp_path / "data", age=1.5, image=0.25)
    run = train(data, asked | {"model.table": ("age", "sex")}, out=tmp_path / "run")
    found = AddedValue.load(run.added_value_file)
    assert found.table_adds.low > 0
    assert found.image_adds is not None
    assert found.table is not None
    assert found.table.value > 0.75
    assert found.both.cases == found.image.cases == found.table.cases
    alone = Run(run.image_alone)
    assert alone.split.table.equals(run.split.table)
    assert alone.resolved.plan.model.table == ()
    assert alone.resolved.plan.training == run.resolved.plan.training


def test_a_column_of_chance_is_not_shown_to_add(tmp_path: Path, asked: dict[str, Any]) -> None:
    data = make_data(tmp_path / "data", age=0, image=1.0)
    run = train(data, asked | {"model.table": ("view",)}, out=tmp_path / "run")
    found = AddedValue.load(run.added_value_file)
    assert found.table_adds.low <= 0 <= found.table_adds.high
    assert found.image_adds is not None
    assert found.image_adds.low > 0.1
