"""Predictions, which may be maps of full size, are not in memory together."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from hounsfield import workflow
from hounsfield.inference import table as tables
from hounsfield.inference.predict import each_prediction
from hounsfield.inference.table import Predicted, read_predictions, write_predictions
from hounsfield.run import Run
from hounsfield.tasks import classification
from hounsfield.tasks.contract import Calibration
from hounsfield.tasks.detection import TASK as BOXES
from hounsfield.tasks.detection import BoxSettings, Found
from hounsfield.training.results import predict_parts
from hounsfield.training.train import trained
from hounsfield.workflow.training import study_of

CHUNK = 4


class Living:
    """How many predictions are alive, and how many were at most."""

    def __init__(self) -> None:
        self.now = self.most = self.made = 0

    def restore(self, prediction: Any, prepared: Any) -> Any:
        mine = prediction.copy()
        self.now, self.made = self.now + 1, self.made + 1
        self.most = max(self.most, self.now)
        weakref.finalize(mine, self._gone)
        return mine

    def _gone(self) -> None:
        self.now -= 1


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Living:
    counted = Living()
    monkeypatch.setattr(tables, "CHUNK", CHUNK)
    monkeypatch.setattr(classification.TASK, "restore", counted.restore, raising=False)
    return counted


def test_new_data_are_predicted_a_few_at_a_time(
    living: Living, tiny_run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    workflow.predict(tiny_run.path, [tiny_data], tmp_path / "out")
    assert living.made == 130
    assert living.most <= 2 * CHUNK + 1


def _again(run: Run, path: Path) -> Run:
    copy = Run(shutil.copytree(run.path, path))
    shutil.rmtree(copy.predictions("val"))
    shutil.rmtree(copy.predictions("test"))
    study = replace(study_of(run), run=copy)  # on the images of the first
    predict_parts(study, [trained(one, study) for one in copy.members], lambda *_: None)
    return copy


def test_the_runs_own_parts_too_where_nothing_is_fitted_to_them(
    living: Living, tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = Calibration(thresholds=(0.5,))
    monkeypatch.setattr(classification.TASK, "calibrate", lambda *_: fixed, raising=False)
    again = _again(tiny_run, tmp_path / "run")
    assert again.calibration == fixed
    assert read_predictions(again.predictions("val")).height == 30
    assert living.made == 70
    assert living.most <= 2 * CHUNK + 1


def test_what_is_fitted_to_them_predicts_once(
    living: Living, tiny_run: Run, tmp_path: Path
) -> None:
    again = _again(tiny_run, tmp_path / "run")
    assert living.made == 70
    assert again.calibration == tiny_run.calibration
    for part in ("val", "test"):
        for name in ("predictions.csv", "submission.csv"):
            known = (tiny_run.predictions(part) / name).read_bytes()
            assert (again.predictions(part) / name).read_bytes() == known


def test_the_plans_threads_predict(tiny_run: Run) -> None:
    study = study_of(tiny_run)
    network = trained(tiny_run.members[0], study).train()
    cases = tiny_run.split.cases("test")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        arguments = (study.task, study.settings, study.plan, [network], study.dataset(cases))
        next(iter(each_prediction(*arguments)))
        assert torch.get_num_threads() == study.plan.training.threads == 1
    finally:
        torch.set_num_threads(threads)
    # What is asked for one by one changes nothing for who asks.
    assert network.training
    assert not torch.is_inference_mode_enabled()


def test_cases_with_and_without_a_truth_share_a_table(
    tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHUNK", CHUNK)
    catalog, settings = tiny_run.catalog, BoxSettings(name="spot", labels=("spot",))
    cases = catalog.cases["case"].to_list()[:10]
    one = Found(*(torch.tensor(v).numpy() for v in ([[1.0, 2, 3, 4]], [0.9], [1])))

    def found() -> Iterator[Found]:
        yield from [one] * 10

    done = Predicted(cases, ["new"] * 10, found(), [None] * 7 + [one] * 3)
    write_predictions(tmp_path, done, catalog, BOXES, settings, Calibration())
    table = read_predictions(tmp_path)
    assert table["rsna_score"].cast(pl.Float64, strict=False).to_list() == [None] * 7 + [1.0] * 3
    assert table["image"].to_list() == cases
