"""Colour pictures, from a public layout to the network: colour kept, field of view cropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image as Picture

from hounsfield import workflow
from hounsfield.evaluation.record import Evaluation
from hounsfield.preprocessing.field import field
from hounsfield.training.train import trained
from hounsfield.workflow.training import study_of

SIDE = 80


def fundus(rng: np.random.Generator, grade: int) -> np.ndarray:
    """A disc left of the middle on black; grade 1 is green where grade 0 is red, equally grey."""
    y, x = np.mgrid[:SIDE, : SIDE + 40]
    inside = (y - 40) ** 2 + (x - 45) ** 2 < 32**2
    colour = np.array([[150, 60, 40], [60, 106, 40]][grade]) + rng.integers(-10, 10, 3)
    picture = np.where(inside[..., None], colour + rng.normal(0, 5, (*inside.shape, 3)), 0)
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_colour_is_kept_and_the_field_is_cropped(tmp_path: Path, tiny_plan: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "data"
    (data / "train_images").mkdir(parents=True)
    rows = []
    for n in range(60):
        Picture.fromarray(fundus(rng, n % 2)).save(data / f"train_images/{n:012x}.png")
        rows.append((f"{n:012x}", n % 2))
    pl.DataFrame(rows, schema=["id_code", "diagnosis"], orient="row").write_csv(data / "train.csv")
    asked = tiny_plan | {"preprocessing.size": (32, 32), "training.epochs": 6}
    run = workflow.train(data, asked, out=tmp_path / "run")
    resolved = run.resolved
    assert resolved.plan.preprocessing.colour
    assert resolved.plan.preprocessing.crop == "field"
    assert resolved.choices["preprocessing.crop"].by == "rule"
    assert len(resolved.plan.preprocessing.mean) == 3
    assert resolved.plan.preprocessing.mean[0] > resolved.plan.preprocessing.mean[2]
    study = study_of(run)
    images = study.dataset(run.split.cases("train")).__getitems__(list(range(8))).images
    assert images.shape == (8, 3, 32, 32)
    lit = (images.amax(1) > 0.15).float()
    assert lit.mean() > 0.7  # a disc fills its box; uncropped it would be a third
    stem = next(trained(run.members[0], study).parameters())
    assert stem.shape[1] == 3
    assert Evaluation.load(run.evaluation("test")).first().value > 0.9


def test_the_drawn_fundus_has_a_field() -> None:
    picture = np.moveaxis(fundus(np.random.default_rng(0), 0), 2, 0)[:, None]
    found = field(picture)
    assert (found.top, found.left, found.height, found.width) == (9, 14, 63, 63)
