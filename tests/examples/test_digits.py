"""The study of digits runs, and its submission is what Kaggle asks for."""

from __future__ import annotations

import runpy
from pathlib import Path

import polars as pl
from sklearn.datasets import load_digits

EXAMPLE = Path(__file__).parents[2] / "examples/digits/digits.py"
QUICK = {
    "training.epochs": 1,
    "training.batch": 32,
    "training.threads": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "model.settings.dropout": 0.1,
    "data.min_per_class": 0,
    "audit.near": "off",
    "evaluation.resamples": 100,
}


def test_two_networks_and_a_submission(tmp_path: Path) -> None:
    digits = load_digits()
    names = [f"pixel{n}" for n in range(64)]
    pixels = pl.DataFrame(digits.data.astype(int), schema=names)
    labelled = pixels.insert_column(0, pl.Series("label", digits.target))
    data = tmp_path / "data"
    data.mkdir()
    few = labelled.filter(pl.col("label") < 4)  # four digits: a report of ten takes its time
    few.head(160).write_csv(data / "train.csv")
    few.slice(160, 30).drop("label").write_csv(data / "test.csv")
    example = runpy.run_path(str(EXAMPLE))
    runs = example["study"](str(data), tmp_path / "out", QUICK)
    assert runs["convolutions"].split.table.equals(runs["fully-connected"].split.table)
    assert {run.resolved.plan.model.name for run in runs.values()} == {"simple-nn", "cnn"}
    assert "convolutions" in (tmp_path / "out/compare.html").read_text()
    report = runs["convolutions"].report().read_text()
    assert "onfusion" in report
    path = example["submit"](runs, data / "test.csv", tmp_path / "out/submission")
    given = pl.read_csv(path)
    assert given.columns == ["ImageId", "Label"]
    assert given["ImageId"].to_list() == list(range(1, 31))
    assert set(given["Label"]) <= set(range(4))
