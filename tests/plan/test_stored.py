"""A catalog's own split is used where it fits; else it is said why not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from folders import class_folders, picture, table

import hounsfield as hf
from hounsfield import workflow
from hounsfield.catalog.split import SPLIT_FILE, Split
from hounsfield.catalog.tables import Catalog
from hounsfield.cli import main
from hounsfield.errors import InputError
from hounsfield.plan.split import labelled, unlabelled
from hounsfield.plan.stored import stored_split


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of 40 pictures, with two more of one picture, and a split by seed 5."""
    folder = tmp_path_factory.mktemp("stored")
    class_folders(folder / "data", 40)
    for number in (1, 3):
        shutil.copy(folder / "data/ill/5.png", folder / f"data/ill/copy{number}.png")
    workflow.index([folder / "data"], folder / "catalog")
    assert main(["split", str(folder / "catalog"), "--seed", "5"]) == 0
    return folder / "catalog"


@pytest.fixture
def catalog(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "catalog"))


def parts(split: Split) -> set[tuple[Any, ...]]:
    return set(split.table.select("case", "part", "fold").rows())


def test_train_and_plan_use_it_and_say_so(
    catalog: Path, tmp_path: Path, tiny_plan: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    asked = {k: v for k, v in tiny_plan.items() if not k.startswith("data.")}
    run = hf.train(catalog, {**asked, "audit.on_leak": "allow"}, out=tmp_path / "run")
    assert parts(run.split) == parts(Split.load(catalog))
    assert parts(run.split) != parts(workflow.split(Catalog.load(catalog)))
    (told,) = [one for one in run.findings if one.kind == "split-used"]
    assert told.severity == "info"
    capfd.readouterr()
    assert main(["plan", str(catalog), "--out", str(tmp_path / "plan.yaml")]) == 0
    said = " ".join(capfd.readouterr())
    assert f"info: {told.text}" in " ".join(said.split())


def test_cases_that_an_audit_took_out_stay_out(catalog: Path) -> None:
    assert main(["audit", str(catalog), "--on-leak", "drop"]) == 0
    left = Split.load(catalog).table.height
    assert left < 42
    split, (told,) = stored_split(Catalog.load(catalog), {})
    assert split is not None
    assert split.table.height == left
    assert told.severity == "info"
    assert f"{42 - left} labelled cases that it leaves out stay out" in told.text


def test_cases_indexed_later_need_another(catalog: Path) -> None:
    table = pl.read_parquet(catalog / SPLIT_FILE)
    Split(table.head(30)).save(catalog)
    os.utime(catalog / SPLIT_FILE, ns=(0, (catalog / "cases.parquet").stat().st_mtime_ns - 1))
    split, (told,) = stored_split(Catalog.load(catalog), {})
    assert split is None
    assert told.severity == "warning"
    assert "12 labelled cases are not in it" in told.text


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"data.seed": 1, "data.train": 0.7}, "data.seed, data.train was asked for"),
        ({"training.folds": 5}, "it has no folds, the run 5 folds"),
    ],
)
def test_what_is_asked_for_goes_before_it(catalog: Path, asked: dict[str, Any], why: str) -> None:
    split, (told,) = stored_split(Catalog.load(catalog), asked)
    assert split is None
    assert told.severity == "warning"
    assert why in told.text
    assert told.remedy


def test_folds_and_parts(catalog: Path) -> None:
    assert main(["split", str(catalog), "--folds", "3"]) == 0
    whole = Catalog.load(catalog)
    assert stored_split(whole, {})[0] is None
    split, _ = stored_split(whole, {"training.folds": 3, "data.label_map": Path("map.yaml")})
    assert split is not None
    assert split.folds == 3
    assert main(["split", str(catalog), "--val", "0.3", "--test", "0"]) == 0
    split, (told,) = stored_split(whole, {})
    assert split is None
    assert "none to test on" in told.text


def test_no_split_is_no_news_and_a_damaged_one_is_told(catalog: Path) -> None:
    whole = Catalog.load(catalog)
    (catalog / SPLIT_FILE).write_bytes(b"PAR1 or so")
    with pytest.raises(InputError, match="cannot be read") as caught:
        stored_split(whole, {})
    assert caught.value.file == catalog / SPLIT_FILE
    (catalog / SPLIT_FILE).unlink()
    assert stored_split(whole, {}) == (None, ())


def test_cases_without_a_label_are_counted(tmp_path: Path) -> None:
    rows = [f"{n}.png,{'ab'[n % 2] if n < 12 else ''}" for n in range(16)]
    workflow.index([table(tmp_path / "one", rows, images=16)], tmp_path / "catalog")
    whole = Catalog.load(tmp_path / "catalog")
    _, _, usable = labelled(whole, {})
    assert unlabelled(usable, usable) == ()
    (told,) = unlabelled(whole, usable)
    assert told.severity == "warning"
    assert "4 of 16 cases have no label that is learned and are left out (4 of table)" in told.text


def test_the_labels_that_leave_are_named(tmp_path: Path, tiny_plan: dict[str, Any]) -> None:
    class_folders(tmp_path / "data", 60, ("well", "ill", "odd"))
    for number in range(60, 63):
        picture(tmp_path / "data/odd" / f"{number}.png")
    asked = {**tiny_plan, "task.settings.classes": ("well", "ill")}
    run = hf.train(tmp_path / "data", asked, out=tmp_path / "run")
    (told,) = [one for one in run.findings if one.kind == "unlabelled"]
    assert "23 of 63 cases" in told.text
    assert told.text.endswith("their labels: odd")
