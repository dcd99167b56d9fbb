"""Losses that are no numbers, and memory that runs out: told, with what is kept and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from stopping import predictions

from hounsfield import workflow
from hounsfield.errors import InputError, UsageError
from hounsfield.run import Run
from hounsfield.tasks.classification import Classification
from hounsfield.training.checkpoint import WholeCheckpoints

pytestmark = pytest.mark.usefixtures("no_reports")

GREEDY = """
import torch
from torch import nn


class Greedy(nn.Module):
    \"\"\"Takes so many images at once; for more it wants more memory than there is anywhere.\"\"\"

    def __init__(self, channels, outputs, learns, predicts):
        super().__init__()
        self.most = {True: learns, False: predicts}
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.head = nn.Linear(4, outputs)

    def forward(self, images):
        if len(images) > self.most[self.training]:
            torch.empty(len(images), 2**50)
        return self.head(self.conv(images).relu().mean((2, 3)))


def build(*, channels, outputs, size, learns=99, predicts=99):
    return Greedy(channels, outputs, int(learns), int(predicts))
"""


@pytest.fixture
def greedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_plan: dict[str, Any]) -> Any:
    """The plan of a network that takes `learns` images in training and `predicts` after it."""
    (tmp_path / "greedy_network.py").write_text(GREEDY)
    monkeypatch.syspath_prepend(tmp_path)

    def plan(**limits: int) -> dict[str, Any]:
        own = {path: v for path, v in tiny_plan.items() if not path.startswith("model.settings.")}
        own |= {"model.name": "greedy_network:build", "training.epochs": 1}
        return own | {f"model.settings.{name}": value for name, value in limits.items()}

    return plan


def test_too_high_a_rate_says_which_to_try(planned: Any) -> None:
    path = planned.copy({"training.learning_rate": 1e9, "training.clip_gradient": 0.0})
    with pytest.raises(
        InputError, match=r"(the loss is (nan|inf)|a weight is no number) in epoch 1"
    ) as caught:
        workflow.resume(path)
    assert "--training.learning-rate 1e+08" in str(caught.value)
    assert "no epoch is whole yet" in str(caught.value)
    assert "--resume would end here again" in str(caught.value)
    assert not Run(path).members[0].checkpoint.exists()


def test_a_last_step_that_bursts_leaves_the_epoch_before_it(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is a number and its gradient is not: no later batch of the epoch would tell."""
    path = planned.copy({})
    losses, calls = Classification.losses, []

    def burst(self: Any, network: Any, batch: Any, *further: Any) -> Any:
        calls.append(1)
        found = losses(self, network, batch, *further)
        if len(calls) == 8:  # of four an epoch
            found["nothing"] = (network(batch.images).sum() * 0).abs().sqrt()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "losses", burst)
        with pytest.raises(InputError, match="a weight is no number in epoch 2") as caught:
            workflow.resume(path)
    assert "epoch 1 is kept" in str(caught.value)
    kept = WholeCheckpoints().load_checkpoint(Run(path).members[0].checkpoint)
    assert kept["epoch"] == 0
    assert all(bool(torch.isfinite(v).all()) for v in kept["state_dict"].values())
    assert predictions(workflow.resume(path)) == planned.reference({})


def test_an_image_of_no_numbers_is_an_even_one(tmp_path: Path, tiny_plan: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        pixels = rng.normal(number % 2, 1, (12, 12)).astype(np.float32)
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full_like(pixels, np.nan) if number in (4, 5) else pixels)
    run = workflow.train(tmp_path / "data", tiny_plan, out=tmp_path / "run")
    assert run.members[0].history()["loss"].is_finite().all()
    table = pl.read_csv(run.predictions("test") / "predictions.csv")
    assert table["p_a"].is_finite().all()


def test_training_without_room_says_what_fits_and_that_trains(
    greedy: Any, tiny_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"a batch of 16 does not fit .* 4 fits") as caught:
        workflow.train(tiny_data, greedy(learns=5), out=tmp_path / "run")
    assert "--training.batch 4 --training.accumulate 4" in str(caught.value)
    asked = greedy(learns=5) | {"training.batch": 4, "training.accumulate": 4}
    run = workflow.train(tiny_data, asked, out=tmp_path / "run", overwrite=True)
    assert run.status == "finished"


def test_a_narrow_network_is_not_trained_channels_last(
    tiny_data: Path, tiny_plan: dict[str, Any], tmp_path: Path
) -> None:
    asked = {**tiny_plan, "training.memory_format": "channels-last"}
    with pytest.raises(UsageError, match="gradients of this network's narrow"):
        workflow.train(tiny_data, asked, out=tmp_path / "run")


def test_predicting_without_room_takes_fewer_at_once(
    greedy: Any, tiny_data: Path, tmp_path: Path
) -> None:
    run = workflow.train(tiny_data, greedy(predicts=5), out=tmp_path / "narrow")
    wide = workflow.train(tiny_data, greedy(predicts=99), out=tmp_path / "wide")
    for part in ("val", "test"):
        tables = [pl.read_csv(one.predictions(part) / "predictions.csv") for one in (run, wide)]
        assert tables[0]["image"].to_list() == tables[1]["image"].to_list()
        found = [one["p_1"].to_numpy() for one in tables]
        np.testing.assert_allclose(*found, atol=1e-6)
