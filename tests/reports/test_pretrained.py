"""The report tells from where training started."""

from __future__ import annotations

from pathlib import Path

from hounsfield.reports.method import pretrained
from hounsfield.run import Run


def test_which_layers_started_from_pretrained_weights(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run")
    assert pretrained(run) == ""
    run.update(pretrained="120 layers' weights taken", layers={"fresh": ["fc.weight", "fc.bias"]})
    assert pretrained(run) == (
        "The network started from pretrained weights: 120 layers' weights taken. "
        "Fresh are fc.weight, fc.bias."
    )
    run.update(layers={"fresh": [f"layer{i}" for i in range(9)]})
    assert pretrained(run).endswith("layer5 and 3 more.")
