"""Runs that differ in one thing share catalog and split; what is done is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield.errors import RunError
from hounsfield.workflow import compare
from hounsfield.workflow.arms import train_arms

SHARED = {
    "training.epochs": 1,
    "training.batch": 64,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "audit.near": "off",
    "evaluation.resamples": 100,
}


def test_arms_share_the_split_and_are_kept(tmp_path: Path) -> None:
    arms = {
        name: SHARED | {"model.name": "simple-nn", "training.seed": seed}
        for seed, name in enumerate(("one", "two"))
    }
    runs = train_arms("dataset:digits", arms, tmp_path / "out")
    assert runs["one"].split.table.equals(runs["two"].split.table)
    assert len(compare(list(runs.values()))) > 0
    weights = [run.members[0].weights for run in runs.values()]
    before = [path.stat().st_mtime_ns for path in weights]
    train_arms("dataset:digits", arms, tmp_path / "out")
    assert [path.stat().st_mtime_ns for path in weights] == before
    arms["two"] = SHARED | {"model.name": "cnn"}
    with pytest.raises(RunError, match="a run of other values"):
        train_arms("dataset:digits", arms, tmp_path / "out")
