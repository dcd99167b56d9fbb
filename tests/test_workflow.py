"""The verbs together: what is refused leaves nothing, what is asked again is answered."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import hounsfield as hf
from hounsfield import workflow
from hounsfield.cli import main
from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.evaluation.record import Evaluation
from hounsfield.run import Run
from hounsfield.workflow import data


def test_the_public_names_are_there() -> None:
    for room in ("hounsfield.plan.choose", "hounsfield.audit.whole"):
        importlib.import_module(room)
    assert all(getattr(hf, name) for name in hf.__all__)
    assert hf.plan is workflow.plan  # also once the package of this name is imported
    assert hf.audit is workflow.audit
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        hf.trian  # noqa: B018


def test_a_finished_run_is_only_shown(
    tiny_run: Run, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = (tiny_run.predictions("test") / "predictions.csv").stat().st_mtime_ns
    assert main(["train", "--resume", str(tiny_run.path)]) == 0
    assert str(tiny_run.report()) in capfd.readouterr().out.replace("\n", "")
    assert (tiny_run.predictions("test") / "predictions.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"training.epoch": 3}, UsageError),
        ({"task.settings.smothing": 0.1}, UsageError),
        ({"model.name": "resnet81"}, UsageError),
        ({"task.target": "tumour"}, UsageError),
    ],
)
def test_a_refused_run_leaves_nothing(
    asked: dict[str, Any], error: type[Exception], tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(error):
        hf.train(tiny_data, asked, out=out)
    assert not out.exists()


def test_data_that_are_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        with pytest.raises(InputError) as caught:
            hf.train(tmp_path / name, out=tmp_path / "run")
        assert caught.value.remedy
        assert not (tmp_path / "run").exists()


def test_one_class_alone_cannot_be_learned(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = np.random.default_rng(0).integers(
            0, 255, (8, 12, 12), dtype=np.uint8
        )
        arrays[f"{part}_labels"] = np.ones((8, 1), np.uint8)
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(InputError, match="all labelled cases are of one class"):
        hf.train(tmp_path / "data.npz", out=tmp_path / "run")


def test_a_plan_is_made_and_nothing_trained(tiny_data: Path, tmp_path: Path) -> None:
    resolved = hf.plan(tiny_data, {"training.epochs": 4}, out=tmp_path / "plan.yaml")
    assert resolved.plan.training.epochs == 4
    assert resolved.plan.preprocessing.size == (12, 12)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.catalog"]


@pytest.fixture
def other_data(tiny_data: Path, tmp_path: Path) -> Path:
    """The same pictures by another scanner: a little brighter."""
    arrays = dict(np.load(tiny_data))
    for name in ("train_images", "val_images", "test_images"):
        arrays[name] = np.clip(arrays[name].astype(int) + 3, 0, 255).astype(np.uint8)
    np.savez(tmp_path / "other.npz", **arrays)
    return tmp_path / "other.npz"


def test_another_hospitals_data_are_evaluated_beside_the_run(
    tiny_run: Run, other_data: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    found = hf.evaluate(run.path, other_data, name="other")
    assert found.name == "other"
    assert found.fall is not None
    assert found.cases == 130
    assert run.evaluations == ("other", "test", "val")
    assert run.report("other").is_file()
    assert not list(run.path.rglob("link.parquet"))  # true names stay outside the run
    internal = Evaluation.load(run.evaluation("test"))
    assert found.fall.a == pytest.approx(internal.first().value)


def test_a_report_is_written_anew(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    run.report().unlink()
    written = hf.report(run)
    assert written.path == run.report()
    assert run.report().stat().st_size > 10_000
    assert written._repr_html_().startswith("<iframe")
    with pytest.raises(RunError, match="no evaluation 'tset'") as caught:
        hf.report(run.path, "tset")
    assert "test" in str(caught.value)


def test_runs_are_compared_on_the_same_cases(tiny_run: Run, tmp_path: Path) -> None:
    other = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    for difference in hf.compare([tiny_run.path, other.path]):
        assert difference.difference == pytest.approx(0) or np.isnan(difference.difference)
    file = other.predictions("test") / "predictions.csv"
    table = pl.read_csv(file).with_columns(image=pl.col("image") + "x")
    table.write_csv(file)
    with pytest.raises(InputError):
        hf.compare([tiny_run.path, other.path])
    with pytest.raises(InputError, match="one run alone"):
        hf.compare([tiny_run.path])


def test_a_label_map_reaches_the_index(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def index(folders: Any, out: Any, *, watch: Any, **settings: Any) -> Any:
        seen.update(settings)
        raise InputError("far enough")

    monkeypatch.setattr(data, "index", index)
    asked = {"data.label_map": str(tmp_path / "map.yaml")}
    with pytest.raises(InputError, match="far enough"):
        hf.train(tiny_data, asked, out=tmp_path / "run")
    assert seen["label_map"] == tmp_path / "map.yaml"


def test_the_request_lies_outside_the_run(tiny_run: Run, tiny_data: Path) -> None:
    request = json.loads((workflow.beside_run(tiny_run.path) / "request.json").read_text())
    assert request["data"] == str(tiny_data)
    for file in tiny_run.path.rglob("*.json"):
        assert str(tiny_data) not in file.read_text(errors="replace")


def test_a_lone_path_is_one_folder(tiny_run: Run, tiny_data: Path, tmp_path: Path) -> None:
    made = hf.index(tiny_data, tmp_path / "catalog")
    assert made.catalog.images.height == 130
    found = hf.predict(tiny_run, tiny_data, tmp_path / "new")
    assert pl.read_csv(found).height == 130


def test_names_and_labels_of_a_catalog_are_settled(tiny_data: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.yaml"
    labels.write_text("1: ill\n")
    hf.index(tiny_data, tmp_path / "catalog")
    for asked, keep_ids in (({"data.label_map": labels}, False), ({}, True)):
        with pytest.raises(UsageError, match="comes too late"):
            hf.train(tmp_path / "catalog", asked, out=tmp_path / "run", keep_ids=keep_ids)
        assert not (tmp_path / "run").exists()


def test_an_evaluation_is_not_replaced_unasked(
    tiny_run: Run, other_data: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    assert hf.evaluate(run, other_data).name == "other"
    with pytest.raises(RunError, match="an evaluation 'other' already"):
        hf.evaluate(run, other_data)
    assert hf.evaluate(run, other_data, name="other").name == "other"
    assert hf.evaluate(run, other_data, name="../up").name == "up"
    with pytest.raises(UsageError, match="--name goes with --data"):
        hf.evaluate(run, name="data")


def test_what_a_run_has_learned_from_is_no_test(
    tiny_run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    found = hf.evaluate(run, tiny_data, name="again")
    assert found.cases == 40  # the run's own test part, which these data hold too
    assert any("90 of 130 cases were among those" in note for note in found.notes)
    assert "90 of 130 cases" in run.report("again").read_text()
    arrays = {k: v for k, v in np.load(tiny_data).items() if k.startswith("train")}
    np.savez(tmp_path / "seen.npz", **arrays)
    with pytest.raises(InputError, match="learned from all 60 cases"):
        hf.evaluate(run, tmp_path / "seen.npz")


TABLE = "predictions/test/predictions.csv"


@pytest.mark.parametrize("name", ["data/cases.parquet", TABLE, "evaluations/test/evaluation.json"])
def test_a_damaged_run_says_so(name: str, tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    file = run.path / name
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(RunError, match="damaged") as refused:
        hf.report(run)
    assert file.name in str(refused.value)
    assert "index" not in str(refused.value.remedy)


@pytest.mark.parametrize("name", [TABLE, "evaluations/val/evaluation.json"])
def test_a_missing_part_of_a_finished_run_is_made_again(
    name: str, tiny_run: Run, tmp_path: Path
) -> None:
    for folder in (tiny_run.path.name, f"{tiny_run.path.name}.catalog"):
        shutil.copytree(tiny_run.path.with_name(folder), tmp_path / folder)
    run = Run(tmp_path / tiny_run.path.name)
    before = (run.path / name).read_bytes()
    (run.path / name).unlink()
    workflow.resume(run)
    assert (run.path / name).read_bytes() == before
    assert run.status == "finished"


def test_a_demo_replaces_only_a_demo(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="no demo made it"):
        workflow.demo(tmp_path)
    assert main(["demo", str(tmp_path), "--patients", "0"]) == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "mine.txt"]


def test_times_are_added_up(tiny_run: Run, tmp_path: Path) -> None:
    for name in (tiny_run.path.name, f"{tiny_run.path.name}.catalog"):
        shutil.copytree(tiny_run.path.with_name(name), tmp_path / name)
    run = Run(tmp_path / tiny_run.path.name)
    assert {"index", "audit", "train", "evaluate"} <= run.seconds.keys()
    assert run.versions["torch"]
    before = run.seconds
    run.update(status="trained")
    workflow.resume(run)
    assert run.seconds["train"] == before["train"]
    assert run.seconds["evaluate"] > before["evaluate"]
