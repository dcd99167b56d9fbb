"""How the learning rate goes, and which weights decay."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from torch import nn

from hounsfield.plan.schema import TrainingPlan
from hounsfield.training.schedule import best_epoch, factor, optimizer


def plan(**values: Any) -> TrainingPlan:
    return TrainingPlan.model_validate(values)


@pytest.mark.parametrize("schedule", ["cosine", "step", "plateau", "constant"])
def test_every_schedule_warms_up_in_a_line(schedule: str) -> None:
    shares = [factor(plan(schedule=schedule, warmup=0.2), step, 50) for step in range(11)]
    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[10] == 1


def test_cosine_falls_to_almost_nothing() -> None:
    shares = [factor(plan(schedule="cosine", warmup=0.1), step, 1000) for step in range(100, 1000)]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[450] == pytest.approx(0.5, abs=1e-3)
    assert 0 < shares[-1] < 1e-5


def test_steps_are_tenfold_at_half_and_three_quarters() -> None:
    shares = [factor(plan(schedule="step", warmup=0), step, 101) for step in range(101)]
    assert shares[1:51] == [1] * 50
    assert shares[51:76] == pytest.approx([0.1] * 25)
    assert shares[76:] == pytest.approx([0.01] * 25)


def test_a_plateau_halves() -> None:
    shares = [factor(plan(schedule="plateau", warmup=0), 50, 100, drops) for drops in range(4)]
    assert shares == [1, 0.5, 0.25, 0.125]


def test_no_warm_up_begins_at_the_top() -> None:
    assert factor(plan(schedule="constant", warmup=0), 0, 10) == 1


@pytest.mark.parametrize(
    ("watched", "best"),
    [([0.5], 0), ([0.5, 0.7, 0.6], 1), ([0.7, 0.7], 0), ([nan, 0.5, nan], 1), ([nan, nan], 1)],
)
def test_the_best_epoch(watched: list[float], best: int) -> None:
    assert best_epoch(watched) == best


@pytest.mark.parametrize(
    ("watched", "best"),
    [
        ([0.9, 0.99, 0.9895, 0.9892], 3),  # as good but for chance: the latest
        ([0.9, 0.99, 0.9895, 0.98], 2),
        ([0.9, 0.99, 0.97, 0.96], 1),
        ([0.5, float("nan"), 0.5], 2),
        ([float("nan")] * 3, 2),
    ],
)
def test_the_best_epoch_within_what_chance_explains(watched: list[float], best: int) -> None:
    assert best_epoch(watched, 0.001) == best


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_weights_decay_and_biases_do_not(name: str) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    network[2].requires_grad_(False)
    made = optimizer(network, plan(optimizer=name, weight_decay=0.1, learning_rate=0.5))
    assert type(made).__name__.lower() == name
    decays, rests = made.param_groups
    assert (decays["weight_decay"], rests["weight_decay"]) == (0.1, 0)
    assert [p is network[0].weight for p in decays["params"]] == [True]
    assert len(rests["params"]) == 3
    assert decays["lr"] == 0.5
