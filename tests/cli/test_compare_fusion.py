"""hounsfield compare-fusion: the time first, the table, the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from folders import Answer

SHORT = """--training.epochs 1 --model.settings.widths [8] --model.settings.blocks 1,
--training.precision fp32 --training.memory-format contiguous --training.threads 1
--model.settings.stem-stride 1 --data.min-per-class 0 --audit.near off
--evaluation.resamples 100""".split()


@pytest.mark.usefixtures("no_pictures")
def test_from_a_phantom_to_a_table(ask: Callable[..., Answer], tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    made = ask("phantom", "ct-lesion", data, *"--patients 30 --size 16 --slices 5".split())
    assert made.code == 0
    arms = ("--arms", "three-channel,late", "--budget", 4)
    told = ask("compare-fusion", data, "--out", out, *arms, *SHORT)
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0].startswith("2 networks, 2 min of training each at most: 4 min in all")
    assert "Minus three-channel, on the same cases, with 95 % intervals" in told.out
    assert "late: the slices weigh" in told.out
    assert lines[-1] == str(out / "comparison.html")
    names = {path.name for path in out.iterdir() if path.suffix != ".catalog"}
    assert names == {
        "three-channel", "late", "three-channel.csv", "late.csv",
        "comparison.csv", "comparison.html",
    }  # fmt: skip
    refused = ask("compare-fusion", data, "--out", out, "--arms", "single,early,vote")
    assert refused.code != 0
    assert "there is no arm 'vote'" in refused.err
    deep = ask("compare-fusion", data, "--out", tmp_path / "x", "--preprocessing.depth", 9)
    assert deep.code != 0
    assert "30 of 30 volumes have fewer than the 9 slices that early needs" in deep.err
