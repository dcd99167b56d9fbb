"""A run goes where it was not trained: other devices, other threads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from hounsfield import workflow
from hounsfield.errors import UsageError
from hounsfield.inference.table import read_predictions
from hounsfield.plan.device import computing
from hounsfield.plan.schema import TrainingPlan
from hounsfield.run import Run


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _elsewhere(run: Path) -> None:
    """As if the run had been planned where there is a GPU."""
    file = run / "plan.resolved.yaml"
    tree = yaml.safe_load(file.read_text())
    tree["training"]["device"]["value"] = "cuda"
    file.write_text(yaml.safe_dump(tree, sort_keys=False))


def test_a_run_from_a_gpu_predicts_without_one(
    tiny_run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run.path, tmp_path / "run"))
    _elsewhere(run)
    torch.set_num_threads(2)
    workflow.predict(run, [tiny_data], tmp_path / "new")
    table = read_predictions(tmp_path / "new")
    assert table.height == 130
    assert torch.get_num_threads() == 1  # the plan's
    known = read_predictions(tiny_run.predictions("test"))["p_1"].to_numpy()
    assert abs(known[:, None] - table["p_1"].to_numpy()).min(1).max() < 1e-5


@pytest.mark.usefixtures("no_reports")
def test_a_run_from_a_gpu_is_not_trained_on_without_one(planned: Any) -> None:
    run = planned.copy({})
    _elsewhere(run)
    with pytest.raises(UsageError, match=r"training.device is cuda") as caught:
        workflow.resume(run)
    assert "--training.device cpu" in str(caught.value)
    assert not Run(run).members[0].checkpoint.exists()


def test_the_plans_device_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TrainingPlan(device="cuda", threads=1)
    assert computing(plan).type == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert computing(plan).type == "cuda"
