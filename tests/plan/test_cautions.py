"""What was asked for and deserves a word, or a refusal, before any image is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import hounsfield as hf
from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.catalog.split import Split
from hounsfield.errors import InputError, UsageError
from hounsfield.plan.asked import nest
from hounsfield.plan.cautions import cautions
from hounsfield.plan.schema import Plan
from hounsfield.tasks import load
from hounsfield.workflow import planning

Facts = Callable[..., Fingerprint]
CLASSES = load("classification")


def split(folds: dict[str, int] | None = None) -> Split:
    cases = [*(folds or {"a": 0, "b": 0})]
    fold = [folds[case] if folds else None for case in cases]
    schema = {"case": pl.String, "patient": pl.String, "part": pl.String, "fold": pl.Int32}
    rows = {"case": cases, "patient": cases, "part": ["train"] * len(cases), "fold": fold}
    return Split(pl.DataFrame(rows, schema=schema))


def told(facts: Fingerprint, task: Any = CLASSES, **asked: Any) -> list[str]:
    plan = Plan.model_validate(nest({k.replace("__", "."): v for k, v in asked.items()}))
    return [one.text for one in cautions(plan, facts, task, split(), {"a": "ill", "b": "well"})]


def test_nothing_is_said_of_a_plan_that_nobody_changed(facts: Facts) -> None:
    assert told(facts()) == []


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_bodies_that_do_not_exist_are_told(name: str, facts: Facts) -> None:
    (text,) = told(facts(), **{f"augmentation__{name}": 0.3})
    assert text.startswith(name)
    assert "no such body exists" in text


def test_pictures_of_bodies_stay_upright_and_unmirrored(facts: Facts) -> None:
    assert "up to 60°" in told(facts(), augmentation__rotate=60.0)[0]
    assert told(facts(), augmentation__rotate=45.0) == []
    assert "mirrored" in told(facts(), augmentation__flip=True)[0]
    skin = facts(modalities={"XC": 1000})
    assert told(skin, augmentation__flip=True, augmentation__rotate=180.0) == []


@pytest.mark.parametrize("task", ["segmentation", "detection"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"augmentation__mixup": 0.2}, "augmentation.mixup mixes targets"),
        ({"augmentation__cutmix": 1.0}, "augmentation.cutmix mixes targets"),
        ({"evaluation__views": 4}, "evaluation.views moves the picture"),
    ],
)
def test_what_other_tasks_cannot_follow_is_refused(
    task: str, asked: dict[str, Any], said: str, facts: Facts
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        told(facts(), load(task), **asked)
    assert "leave out --" in str(caught.value.remedy)
    assert told(facts(), load(task), evaluation__views=1) == []


def test_a_fold_of_one_class(facts: Facts) -> None:
    strata = {"a": "ill", "b": "ill", "c": "well", "d": "well", "e": "well"}
    fair = split({"a": 0, "b": 1, "c": 0, "d": 1, "e": 2})
    found, oof = cautions(Plan(), facts(), CLASSES, fair, strata)
    assert "each case predicted only by networks that did not learn from it" in oof.text
    assert "all 3 networks together" in oof.text
    assert found.kind == "one-class-fold"
    assert "fold 2 of 3 (0 to 2) is watched on cases of 'well' alone" in found.text
    assert "fewer --folds" in found.remedy
    torn = split({"a": 1, "b": 1, "c": 0, "d": 0, "e": 2})
    with pytest.raises(InputError, match=r"fold 1 of 3 .* would train on cases of 'well' alone"):
        cautions(Plan(), facts(), CLASSES, torn, strata)


def test_they_are_told_with_the_plan_and_refused_before_anything_is_prepared(
    tiny_data: Path, tiny_plan: dict[str, Any], tmp_path: Path
) -> None:
    catalog = hf.index(tiny_data, tmp_path / "catalog", workers=0).catalog
    asked = {**tiny_plan, "augmentation.mixup": 0.2}
    ready = planning.decide(catalog, asked, hf.progress.SILENT)
    said = [one.text for one in ready.findings if one.kind == "unphysical"]
    assert said == ["mixup blends two patients' images: no such body exists"]
