"""featurize: from folders, runs and catalogs to one table, and baselines on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from hounsfield import formats
from hounsfield.errors import InputError, UsageError
from hounsfield.image import Image
from hounsfield.workflow import Backbone, baselines, featurize
from hounsfield.workflow.baselines import Part, _folds

if TYPE_CHECKING:
    from hounsfield.run import Run

QUICK = {"audit.near": "off", "evaluation.resamples": 100, "data.min_per_class": 0}
SMALL = {"model.settings.widths": (4, 8), "model.settings.blocks": (1, 1), "training.threads": 1}


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "ROUNDS", 5)


def matrix(path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    table = pl.read_parquet(path)
    return table, table.drop("id", "patient", "label", "split").to_numpy()


def test_a_runs_features_give_its_predictions(tiny_run: Run, tmp_path: Path) -> None:
    made = featurize(None, tmp_path / "f.parquet", Backbone(run=tiny_run.path))
    table, features = matrix(made.path)
    assert (made.rows, made.columns) == features.shape == (130, 8)
    assert table["split"].value_counts().sort("split").rows() == [
        ("test", 40),
        ("train", 60),
        ("val", 30),
    ]
    weights = load_file(tiny_run.members[0].weights)
    logits = features @ weights["classifier.weight"].T + weights["classifier.bias"]
    scaled = logits / np.array(tiny_run.calibration.temperatures)
    positive = 1 / (1 + np.exp(scaled[:, 0] - scaled[:, 1]))
    mine = table.with_columns(p=positive).filter(pl.col("split") == "test")
    theirs = pl.read_csv(tiny_run.predictions("test") / "predictions.csv")
    both = mine.join(theirs, left_on="id", right_on="image")
    assert np.allclose(both["p"], both["p_1"], atol=1e-4)
    assert (both["label"] == both["label_right"].cast(pl.String)).all()


def test_other_data_have_no_part_in_the_run(tiny_run: Run, tiny_data: Path, tmp_path: Path) -> None:
    made = featurize(tiny_data, tmp_path / "f.parquet", Backbone(run=tiny_run.path))
    table, _ = matrix(made.path)
    assert table["split"].unique().to_list() == [""]
    assert set(table["label"]) == {"0", "1"}
    with pytest.raises(InputError, match="no class to learn"):
        featurize(
            tiny_data,
            tmp_path / "g.parquet",
            Backbone(run=tiny_run.path),
            baselines=True,
        )
    assert not (tmp_path / "g.parquet").exists()


def test_baselines_are_measured_as_runs_are(tiny_data: Path, tmp_path: Path) -> None:
    how = Backbone("cnn", asked=QUICK | SMALL)
    made = featurize(tiny_data, tmp_path / "f.parquet", how, baselines=True)
    assert [one.name for one in made.baselines] == ["logistic", "k-nn", "boosting"]
    folder = tmp_path / "f.baselines"
    told = pl.read_csv(folder / "baselines.csv")
    assert set(told["model"]) == {"logistic", "k-nn", "boosting"}
    first = told.filter(pl.col("metric") == "auroc")
    assert (first["low"] <= first["value"]).all()
    assert (first["value"] <= first["high"]).all()
    for one in made.baselines:
        predicted = pl.read_csv(folder / one.name / "predictions.csv")
        assert predicted.height == 40
        assert set(predicted["split"]) == {"test"}
        assert np.allclose(predicted["p_0"] + predicted["p_1"], 1)
        assert one.evaluation.first().value > 0.7  # a bright square is seen by random features
    again = featurize(tmp_path / "f.catalog", tmp_path / "again.parquet", how, baselines=True)
    assert (matrix(again.path)[1] == matrix(made.path)[1]).all()
    for name in ("logistic", "k-nn", "boosting"):
        written = (
            tmp_path / kind / name / "predictions.csv"
            for kind in ("f.baselines", "again.baselines")
        )
        assert len({path.read_bytes() for path in written}) == 1


def test_no_patient_is_in_two_folds() -> None:
    rng = np.random.default_rng(0)
    patient = [f"p{n}" for n in rng.integers(0, 25, 120)]
    truth = np.array([int(one[1:]) % 3 == 0 for one in patient], np.int64)
    for labels in (truth, np.stack([truth, 1 - truth], 1)):
        part = Part(np.zeros((120, 2), np.float32), labels, patient, patient)
        folds = list(_folds(part))
        assert len(folds) == 5
        assert sorted(int(row) for _, held in folds for row in held) == list(range(120))
        for rows, held in folds:
            assert not {patient[n] for n in rows} & {patient[n] for n in held}


def test_several_findings_get_a_model_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, size in (("train", 60), ("val", 30), ("test", 40)):
        marks = rng.integers(0, 2, (size, 14)) * (np.arange(14) < 3)
        pixels = rng.normal(100, 10, (size, 28, 28))
        pixels[:, :9, :9] += 60 * marks[:, 0, None, None]
        arrays |= {f"{part}_images": np.clip(pixels, 0, 255).astype(np.uint8)}
        arrays |= {f"{part}_labels": marks.astype(np.uint8)}
    np.savez(tmp_path / "chestmnist.npz", **arrays)
    how = Backbone("cnn", asked=QUICK | SMALL)
    made = featurize(tmp_path / "chestmnist.npz", tmp_path / "f.parquet", how, baselines=True)
    (logistic, *_) = made.baselines
    each = [
        one for one in logistic.evaluation.estimates if one.metric == "auroc" and one.class_name
    ]
    assert len(each) == 14
    assert each[0].value > 0.8  # the finding that shows in the picture


def test_volumes_are_averaged_over_slices_by_a_picture_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for n in range(3):
        volume = Image.from_numpy(
            rng.integers(0, 200, (4 + n, 40, 40)).astype(np.int16), affine=np.eye(4)
        )
        formats.write(volume, tmp_path / f"data/v{n}.nii.gz")
    how = Backbone("resnet18", asked={"preprocessing.size": (32, 32), "training.threads": 1})
    made = featurize(tmp_path / "data", tmp_path / "f.parquet", how)
    table, features = matrix(made.path)
    assert features.shape == (3, 512)
    assert np.isfinite(features).all()
    assert set(table["label"]) == set(table["split"]) == {""}


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (Backbone(), "whose features"),
        (Backbone("cnn", run="r"), "whose features"),
        (Backbone(run="r", weights="hub"), "own weights"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tiny_data: Path, tmp_path: Path, how: Backbone, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        featurize(tiny_data, tmp_path / "f.parquet", how)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "f.parquet").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        featurize(tiny_data, tmp_path / "f.parquet", Backbone("cnn"))
    with pytest.raises(UsageError, match="written as Parquet"):
        featurize(tiny_data, tmp_path / "f.csv", Backbone("cnn"))
    assert (tmp_path / "f.parquet").read_bytes() == b"mine"


def test_baselines_and_a_run_have_the_same_test_cases(tiny_run: Run, tmp_path: Path) -> None:
    made = featurize(None, tmp_path / "f.parquet", Backbone(run=tiny_run.path), baselines=True)
    own = pl.read_csv(tiny_run.predictions("test") / "predictions.csv")["image"].to_list()
    for one in made.baselines:
        mine = pl.read_csv(tmp_path / f"f.baselines/{one.name}/predictions.csv")["image"].to_list()
        assert sorted(mine) == sorted(own)
