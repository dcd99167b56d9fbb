"""export and predict BUNDLE on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from folders import Answer

Ask = Callable[..., Answer]


def test_a_run_becomes_a_bundle_that_predicts(
    ask: Ask, run: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hounsfield.bundle.speed.SECONDS", 0.0)
    done = ask("export", run)
    assert done.code == 0, done.err
    path = run.with_name(f"{run.name}.bundle")
    assert done.out.splitlines()[-1] == str(path)
    assert "openvino fp32:" in done.out
    assert "from PyTorch's answers" in done.out

    done = ask("predict", path, tiny_data, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == str(tmp_path / "out" / "predictions.csv")
    assert "130 cases" in done.out
    assert "decided at a probability of" in done.out
    assert pl.read_csv(tmp_path / "out" / "submission.csv").columns == ["id", "label"]

    again = ask("export", run)
    assert again.code == 3
    assert "not empty" in again.err

    (path / "model.onnx").write_bytes(b"")
    (path / "model.bin").write_bytes(b"")
    refused = ask("predict", path, tiny_data, "--out", tmp_path / "other")
    assert refused.code == 4
    assert "has 0 bytes" in refused.err
    assert "Traceback" not in refused.err
    assert not (tmp_path / "other" / "predictions.csv").exists()

    wrong = ask("predict", path, tiny_data, "--precision", "fp16", "--out", tmp_path / "o")
    assert wrong.code == 2


def test_what_is_not_trained_is_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text('{"version": 1, "status": "training"}')
    done = ask("export", tmp_path / "run")
    assert done.code == 4
    assert "not trained to its end" in done.err
