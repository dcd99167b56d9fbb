"""Masks are read by the task that learns from them, and by no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image as Pillow

import hounsfield as hf
from hounsfield import workflow
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.tasks import TASKS, load
from hounsfield.training.study import prepared

FOUND = ("COVID", "Normal")


def covid_radiography(root: Path, picture: int, mask: int, count: int = 12) -> Path:
    """Two folders of pictures, each with a mask of the left half, in their own sizes."""
    rng = np.random.default_rng(3)
    for number in range(count):
        folder = root / FOUND[number % 2]
        for name, pixels in (
            ("images", rng.integers(0, 255, (picture, picture), np.uint8)),
            ("masks", np.tile(np.repeat(np.uint8([255, 0]), mask // 2), (mask, 1))),
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(pixels).save(folder / name / f"{folder.name}-{number}.png")
    return root


def planned(data: Path, task: str, tmp_path: Path) -> tuple[Catalog, Any]:
    hf.index([data], tmp_path / "catalog")
    asked = {
        "task.name": task,
        "data.min_per_class": 0,
        "audit.near": "off",
        "preprocessing.size": (16, 16),
        "training.workers": 1,
    }
    resolved = workflow.plan(tmp_path / "catalog", asked, out=tmp_path / "plan")
    return Catalog.load(tmp_path / "catalog"), resolved.plan


def quiet(what: str, done: int, of: int | None) -> None:
    pass


def test_who_needs_no_mask_reads_none(tmp_path: Path) -> None:
    data = covid_radiography(tmp_path / "data", 30, 24)
    catalog, plan = planned(data, "classification", tmp_path)
    assert catalog.annotations.drop_nulls("mask").height == 12
    cache, readable, findings = prepared(catalog, plan, tmp_path / "cache", quiet)
    assert (len(cache), readable.cases.height, findings) == (12, 12, ())


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    data = covid_radiography(tmp_path / "data", 30, 24)
    catalog, plan = planned(data, "segmentation", tmp_path)
    with pytest.raises(InputError, match=r"mask is \(1, 1, 24, 24\), its image \(1, 1, 30, 30\)"):
        prepared(catalog, plan, tmp_path / "cache", quiet)


def test_the_targets_own_mask_is_learned_from(tmp_path: Path) -> None:
    """A mask of something else, listed first, is left alone."""
    data = covid_radiography(tmp_path / "data", 24, 24)
    catalog, plan = planned(data, "segmentation", tmp_path)
    lungs = catalog.annotations
    picture = pl.col("case")  # its only image
    hearts = lungs.drop_nulls("mask").with_columns(name=pl.lit("heart"), mask=picture)
    both = Catalog(catalog.images, catalog.cases, pl.concat([hearts, lungs]), catalog.folder)
    settings = load("segmentation").Settings.model_validate({"labels": (255,), "name": "lung"})
    own = load("segmentation").masks(catalog, settings)
    assert len({str(one) for one in own}) == 12
    assert load("segmentation").masks(both, settings) == own
    cache, _, _ = prepared(both, plan, tmp_path / "cache", quiet)
    known = cache.masks(both.cases["case"].to_list())
    assert (known[..., :8] == 255).all()
    assert (known[..., 8:] == 0).all()


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"segmentation"}))
def test_other_tasks_ask_for_no_mask(name: str, tmp_path: Path) -> None:
    hf.index([covid_radiography(tmp_path / "data", 24, 24)], tmp_path / "catalog")
    catalog = Catalog.load(tmp_path / "catalog")
    assert load(name).masks(catalog, None) == [None] * 12
