"""Ways to join slices, compared: the truth of the phantom comes out, and nothing is mixed up."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image as Picture
from safetensors.numpy import load_file

import hounsfield as hf
from hounsfield import formats, workflow
from hounsfield.catalog.phantoms.ct_lesion import Settings, make
from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.image import Image
from hounsfield.progress import Silent
from hounsfield.reports.fusion import Study
from hounsfield.run import Run
from hounsfield.workflow.fusion import ARMS, Wanted, arms_of

pytestmark = pytest.mark.usefixtures("no_pictures")
ASKED: dict[str, Any] = {
    "data.train": 0.55,
    "data.val": 0.15,
    "data.test": 0.3,
    "data.min_per_class": 0,
    "audit.near": "off",
    "model.settings.widths": (8, 16),
    "model.settings.blocks": (1, 1),
    "model.settings.stem_stride": 1,
    "model.settings.dropout": 0.0,
    "training.batch": 16,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "training.patience": 0,
    "augmentation.rotate": 0.0,
    "augmentation.blur": 0.0,
    "evaluation.resamples": 200,
}
SMALL = Settings(patients=240, size=24, field=112, slices=7, vessels=(2, 4), noise=20, seed=2)


class Listening(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def phantom(out: Path, **changes: object) -> Path:
    make(out, SMALL.model_copy(update=changes))
    return out


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom(tmp_path_factory.mktemp("few") / "data", patients=40)


def test_what_ends_is_seen_in_three_slices_and_in_all_but_not_in_one(tmp_path: Path) -> None:
    """The phantom's truth: a single slice knows nothing, its neighbours tell."""
    asked = ASKED | {"training.epochs": 14, "training.ema": 0.9, "training.learning_rate": 4e-3}
    arms = ("single", "three-channel", "3D")
    data = phantom(tmp_path / "data")
    study = workflow.compare_fusion(data, asked, out=tmp_path / "out", wanted=Wanted(arms))
    one = study["single"].evaluation.first()
    assert one.metric == "auroc"
    assert one.low < 0.5 < one.high
    for name in ("three-channel", "3D"):
        for metric in ("auroc", "accuracy"):
            found = study[name].difference(metric)
            assert found is not None
            assert found.low > 0, f"{name}: {found}"
            assert found.cases == 72


@pytest.fixture(scope="module")
def everything(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study]:
    """All eight arms, hardly trained."""
    out = tmp_path_factory.mktemp("fusion") / "out"
    asked = ASKED | {"training.epochs": 1, "preprocessing.depth": 5}
    watch = Listening()
    study = workflow.compare_fusion(few, asked, out=out, wanted=Wanted(budget=8), watch=watch)
    assert watch.said[0].startswith("8 networks, 1 min of training each at most: 8 min in all")
    assert watch.said[1].startswith("training.epochs is given")
    assert "resnet50 learns from scratch" in watch.said[2]
    return out, study


def test_each_arm_has_its_table_of_the_same_test_part(everything: tuple[Path, Study]) -> None:
    out, study = everything
    assert [arm.name for arm in study.arms] == list(ARMS)
    tables = {name: pl.read_csv(out / f"{name}.csv") for name in ARMS}
    first = tables["single"]
    assert first.columns == ["image", "p_none", "p_lesion", "label"]
    test = Run(out / "single").split.cases("test")
    for name, table in tables.items():
        assert table["image"].to_list() == test
        assert table["label"].equals(first["label"])
        np.testing.assert_allclose(table["p_none"] + table["p_lesion"], 1, atol=1e-9)
        assert Run(out / name).split.table.equals(Run(out / "single").split.table)


def test_each_arm_sees_what_its_name_says(everything: tuple[Path, Study]) -> None:
    out, study = everything
    plans = {name: Run(out / name).resolved.plan for name in ARMS}
    depths = {name: plan.preprocessing.depth for name, plan in plans.items()}
    assert depths == {
        "single": 1, "three-channel": 3, "early": 5, "late": 5, "late-each": 5,
        "attention": 5, "3D": 7, "resnet50": 3,
    }  # fmt: skip
    assert {plan.preprocessing.size for plan in plans.values()} == {(24, 24)}
    assert {plan.training.budget for plan in plans.values()} == {1.0}
    assert [n for n, plan in plans.items() if plan.model.name == "resnet50"] == ["resnet50"]
    weights = load_file(out / "resnet50/members/f0-s0/weights.safetensors")
    assert weights["fc.weight"].shape == (2, 2048)  # 2048 features, one linear layer
    single, each = study["single"].parameters, study["late-each"].parameters
    assert study["late"].parameters == single
    assert each == 5 * single
    assert study["resnet50"].parameters > 23e6


def test_late_fusion_carries_weights_of_the_validation_part(
    everything: tuple[Path, Study],
) -> None:
    out, study = everything
    for name in ("late", "late-each"):
        told = Run(out / name).state["slice_weights"]["f0-s0"]
        stored = load_file(out / name / "members/f0-s0/weights.safetensors")["weights"]
        np.testing.assert_allclose(stored, told["weights"], atol=1e-6)
        assert stored.sum() == pytest.approx(1, abs=1e-5)
        assert np.ptp(stored) > 1e-3  # no longer even
        assert "fitted on 6 validation cases" in told["reason"]
        (note,) = [note for note in study[name].notes if note.startswith("the slices weigh")]
        assert f"{note[1:]}." in Run(out / name).report().read_text()
    assert "slice_weights" not in Run(out / "early").state
    assert "slices weigh" not in Run(out / "early").report().read_text()


def test_the_table_holds_intervals_time_and_size(everything: tuple[Path, Study]) -> None:
    out, study = everything
    with (out / "comparison.csv").open(newline="") as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(ARMS)
    for name, row in rows.items():
        assert int(row["parameters"]) == study[name].parameters
        assert float(row["training_seconds"]) > 0
        for metric in ("accuracy", "f1", "auroc"):
            assert float(row[f"{metric}_low"]) <= float(row[metric]) <= float(row[f"{metric}_high"])
            minus = row[f"{metric}_minus_single"]
            assert (minus == "") == (name == "single")
            if minus:
                difference = float(row[metric]) - float(rows["single"][metric])
                assert float(minus) == pytest.approx(difference)
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert "three-channel against single" in page
    assert "not corrected for the number of comparisons" in page
    assert "leave out the chance of training" in page
    assert "not tested" not in page


def test_the_same_command_goes_on_and_another_is_refused(
    everything: tuple[Path, Study], few: Path
) -> None:
    out, study = everything
    files = sorted(out.glob("*/members/*/weights.safetensors"))
    before = [path.stat().st_mtime_ns for path in files]
    asked = ASKED | {"training.epochs": 1, "preprocessing.depth": 5}
    arms = ("single", "late")
    again = workflow.compare_fusion(few, asked, out=out, wanted=Wanted(arms, 2.0))
    assert [path.stat().st_mtime_ns for path in files] == before
    assert again["late"].difference("auroc") == study["late"].difference("auroc")
    with pytest.raises(RunError, match="a run of other values"):
        workflow.compare_fusion(few, asked, out=out, wanted=Wanted(arms, 3.0))


def test_without_validation_cases_the_weights_stay_even_and_it_is_said(
    few: Path, tmp_path: Path
) -> None:
    asked = ASKED | {
        "training.epochs": 1, "data.train": 0.7, "data.val": 0.0, "model.fusion": "late",
        "preprocessing.slices": "spread", "preprocessing.depth": 4,
    }  # fmt: skip
    run = workflow.train(few, asked, out=tmp_path / "run")
    told = run.state["slice_weights"]["f0-s0"]
    assert told["weights"] == [0.25] * 4
    assert "there are no validation cases" in told["reason"]


def test_volumes_with_too_few_slices_are_counted(few: Path, tmp_path: Path) -> None:
    data = phantom(tmp_path / "data", patients=6)
    for path in sorted((data / "volumes").iterdir())[:2]:
        image = hf.read(path)
        short = Image(np.ascontiguousarray(image.array[:, :2]), image.geometry, image.channels)
        path.unlink()
        formats.write(short, path)
    words = "2 of 6 volumes have fewer than the 3 slices that three-channel needs; the smallest"
    with pytest.raises(InputError, match=f"{words} has 2") as caught:
        workflow.compare_fusion(data, ASKED, out=tmp_path / "out")
    assert "--preprocessing.depth" in str(caught.value)
    assert not (tmp_path / "out").exists()  # nothing was trained
    wanted = Wanted(("single", "late", "3D"))
    catalog = workflow.index(data, tmp_path / "catalog", workers=0).catalog
    assert arms_of({}, wanted, catalog)["late"]["preprocessing.depth"] == 2
    with pytest.raises(InputError, match="fewer than the 8 slices that early needs"):
        workflow.compare_fusion(few, {"preprocessing.depth": 8}, out=tmp_path / "out")


def test_pictures_have_no_slices_to_join(tmp_path: Path) -> None:
    for label in ("none", "lesion"):
        (tmp_path / f"data/{label}").mkdir(parents=True)
        for n in range(4):
            rng = np.random.default_rng(n)
            picture = Picture.fromarray(rng.integers(0, 255, (16, 16), np.uint8))
            picture.save(tmp_path / f"data/{label}/{label}{n}.png")
    with pytest.raises(InputError, match="the 8 images are pictures of one slice"):
        workflow.compare_fusion(tmp_path / "data", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("asked", "wanted", "error", "words"),
    [
        ({}, Wanted(("single", "atention")), UsageError, "did you mean 'attention'"),
        ({}, Wanted(("single", "single")), UsageError, "1 arm compares with nothing"),
        ({}, Wanted(budget=0.0), UsageError, "--budget 0"),
        ({}, Wanted(budget=float("inf")), UsageError, "--budget inf"),
        ({"training.budget": float("inf")}, Wanted(), UsageError, "training.budget cannot be inf"),
        ({"preprocessing.depth": 1}, Wanted(), UsageError, "no slices to join"),
        ({}, Wanted(weights="no.pt"), InputError, "no such weights file"),
        ({"model.fusion": "late"}, Wanted(), UsageError, "model.fusion is what the arms"),
        ({"preprocessing.slices": "spread"}, Wanted(), UsageError, "preprocessing.slices is"),
        ({"model.name": "resnet81"}, Wanted(), UsageError, "no network 'resnet81'"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(
    asked: dict[str, Any], wanted: Wanted, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        workflow.compare_fusion(tmp_path / "nowhere", asked, out=tmp_path / "out", wanted=wanted)
    assert not any(tmp_path.iterdir())


def test_a_run_is_no_comparison(few: Path, tmp_path: Path) -> None:
    Run.create(tmp_path / "run")
    with pytest.raises(RunError, match="a run, not a comparison"):
        workflow.compare_fusion(few, out=tmp_path / "run")


def test_weights_and_settings_go_to_the_network_they_are_of(few: Path, tmp_path: Path) -> None:
    catalog = workflow.index(few, tmp_path / "catalog", workers=0).catalog
    shared = {
        "model.name": "resnet18",
        "model.settings.dropout": 0.2,
        "model.weights": "hub",
        "preprocessing.slice_at": 0.4,
    }
    arms = arms_of(shared, Wanted(weights="hub"), catalog)
    for name in ("single", "early", "late", "attention"):
        assert arms[name]["model.name"] == "resnet18"
        assert arms[name]["model.weights"] == "hub"
    assert arms["3D"]["model.name"] == "cnn"  # resnet18 takes no volumes
    assert not {"model.weights", "model.settings.dropout"} & arms["3D"].keys()
    assert arms["resnet50"]["model.weights"] == "hub"
    assert "model.settings.dropout" not in arms["resnet50"]
    plain = arms_of({}, Wanted(), catalog)
    assert all("model.weights" not in arm for arm in plain.values())
    assert {arm["preprocessing.size"] for arm in plain.values()} == {(24, 24)}
    assert plain["early"]["preprocessing.depth"] == 7  # the volumes have no more
