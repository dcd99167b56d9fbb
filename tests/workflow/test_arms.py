"""Runs that differ in one thing share catalog and split; what is done is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hounsfield.errors import RunError
from hounsfield.reports.comparison import Comparison
from hounsfield.workflow import compare
from hounsfield.workflow.arms import train_arms


@pytest.mark.usefixtures("no_pictures")
def test_arms_share_the_split_and_are_kept(
    tiny_data: Path, tiny_plan: dict[str, Any], tmp_path: Path
) -> None:
    shared = tiny_plan | {"training.epochs": 1}
    arms = {name: shared | {"training.seed": seed} for seed, name in enumerate(("one", "two"))}
    runs = train_arms(tiny_data, arms, tmp_path / "out")
    assert runs["one"].split.table.equals(runs["two"].split.table)
    paths = [run.path for run in runs.values()]
    page = Comparison.of_runs(paths, compare(paths))._repr_html_()
    assert "patients unknown" in page  # the digits name none
    weights = [run.members[0].weights for run in runs.values()]
    before = [path.stat().st_mtime_ns for path in weights]
    train_arms(tiny_data, arms, tmp_path / "out")
    assert [path.stat().st_mtime_ns for path in weights] == before
    arms["two"] = shared | {"training.epochs": 2}
    with pytest.raises(RunError, match="a run of other values"):
        train_arms(tiny_data, arms, tmp_path / "out")
