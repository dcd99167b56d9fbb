"""hounsfield featurize: the table, the file's path last, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
from folders import Answer

Ask = Callable[..., Answer]


def test_features_and_baselines_of_a_run(run: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "f.parquet"
    answer = ask("featurize", "--run", run, "--out", out, "--baselines")
    assert answer.code == 0, answer.err
    assert all(name in answer.out for name in ("logistic", "k-nn", "boosting", "AUROC"))
    assert "95 % interval" in answer.out
    assert answer.out.splitlines()[-1] == str(out)
    assert pl.read_parquet(out).height == 130
    assert (tmp_path / "f.baselines/baselines.csv").is_file()
    again = ask("featurize", "--run", run, "--out", out)
    assert again.code == 2
    assert "--overwrite replaces it" in again.err


def test_a_layer_that_is_not_there(run: Path, tmp_path: Path, ask: Ask) -> None:
    answer = ask("featurize", "--run", run, "--out", tmp_path / "f.parquet", "--layer", "body.7")
    assert answer.code == 2
    assert "Known: body.0, body.1" in answer.err
    assert not (tmp_path / "f.parquet").exists()
