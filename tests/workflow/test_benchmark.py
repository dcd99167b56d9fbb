"""MedMNIST's sets: found, trained, set beside what was published, and their parts compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hounsfield.cli import main
from hounsfield.errors import InputError
from hounsfield.evaluation.published import MEDMNIST, medmnist
from hounsfield.workflow.benchmark import benchmark_medmnist, sets_under

PLAN = {
    "model.name": "simple-nn",
    "training.epochs": 2,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "audit.near": "off",
    "data.min_per_class": 0,
    "evaluation.resamples": 100,
}


def write(path: Path, *, deep: bool = False, shifted: bool = False) -> Path:
    """A set of two classes by brightness; the test part may be of another scanner."""
    rng = np.random.default_rng(4)
    arrays = {}
    for part, count in (("train", 120), ("val", 60), ("test", 60)):
        labels = np.arange(count) % 2
        shape = (count, 8, 8, 8) if deep else (count, 28, 28)
        images = rng.normal(100, 20, shape) + 30 * labels.reshape(-1, *(1,) * (len(shape) - 1))
        if shifted and part == "test":
            images[..., : shape[-1] // 2] += 25
        arrays[f"{part}_images"] = images.clip(0, 255).astype(np.uint8)
        arrays[f"{part}_labels"] = labels[:, None].astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def test_numbers_stand_beside_the_published_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "data/a/pneumoniamnist.npz", shifted=True)
    write(tmp_path / "data/b/nodulemnist3d.npz", deep=True)
    np.savez(tmp_path / "data/other.npz", x=np.zeros(3))
    rows = benchmark_medmnist(tmp_path / "data", PLAN, out=tmp_path / "out", seeds=2)
    assert rows["set"].to_list() == ["pneumoniamnist", "nodulemnist3d"]
    first = rows.row(0, named=True)
    assert first["auroc"] > 0.95
    assert first["auroc_low"] < first["auroc"] <= first["auroc_high"]
    assert (first["auroc_resnet18"], first["accuracy_best"]) == (0.944, 0.946)
    assert first["val_told_low"] < 0.6 < first["test_told_low"]  # the other scanner is seen
    assert rows.row(1, named=True)["test_told_low"] < 0.6
    assert rows.equals(pl.read_csv(tmp_path / "out/benchmark.csv").cast(dict(rows.schema)))

    flags = [f"--{name.replace('_', '-')}={value}" for name, value in PLAN.items()]
    arguments = ["--data", str(tmp_path / "data/a"), "--out", str(tmp_path / "out"), "--seeds", "2"]
    assert main(["benchmark", "medmnist", *arguments, *flags]) == 0  # kept, not trained again
    said = " ".join(capsys.readouterr().out.split())
    assert "0.944" in said
    assert "0.991" in said
    assert "the validation part is not told" in said
    assert "the test part can be told" in said


def test_a_folder_without_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no MedMNIST file"):
        sets_under(tmp_path)


def test_sets_are_known_by_name_and_size() -> None:
    assert medmnist("PneumoniaMNIST_64") == medmnist("pneumoniamnist")
    assert medmnist("mine") is None
    assert len(MEDMNIST) == 18
    for one in MEDMNIST.values():
        assert 0.5 < one.auroc <= one.best_auroc <= 1
        assert one.accuracy <= one.best_accuracy
