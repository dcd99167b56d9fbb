"""What cannot be trained is refused before anything is indexed, audited or prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import hounsfield as hf
from hounsfield.cli import main
from hounsfield.errors import InputError, UsageError
from hounsfield.plan import device
from hounsfield.plan.asked import from_paths
from hounsfield.plan.check import check_asked
from hounsfield.workflow import data, planning


def _volumes_npz(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = rng.integers(0, 255, (8, 9, 10, 11), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(8) % 2)[:, None].astype(np.uint8)
    np.savez(folder / "organs.npz", **arrays)
    return folder / "organs.npz"


def _volumes_nifti(folder: Path) -> Path:
    for number in range(12):
        path = folder / "scans" / "ab"[number % 2] / f"{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 99, (9, 10, 5)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), path)
    return folder / "scans"


def _two_channels(folder: Path) -> Path:
    for number in range(12):
        path = folder / "maps" / "ab"[number % 2] / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(number).normal(size=(2, 1, 9, 10)))
    return folder / "maps"


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (_volumes_npz, "24 of 24 images are volumes of several slices"),
        (_volumes_nifti, "12 of 12 images are volumes of several slices"),
        (_two_channels, "12 of 12 images have 2 channels"),
    ],
)
@pytest.mark.parametrize("verb", [hf.plan, hf.train])
def test_pictures_that_cannot_be_learned_are_refused_before_they_are_read(
    made: Any, problem: str, verb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        pytest.fail("the images were read")

    monkeypatch.setattr(planning, "audit", never)
    with pytest.raises(InputError, match=problem) as caught:
        verb(made(tmp_path), out=tmp_path / "out")
    assert "2-D picture of 1 or 3 channels" in str(caught.value)
    assert caught.value.file
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"model.weights": "gone.safetensors"}, InputError, "gone.safetensors: there is no such"),
        ({"model.name": "resnet81"}, UsageError, "resnet18"),
        ({"task.name": "clasification"}, UsageError, "classification"),
        ({"training.device": "mps"}, UsageError, "--training.device cpu"),
        ({"training.device": "cuda"}, UsageError, "--training.device cpu"),
    ],
)
@pytest.mark.parametrize("verb", [hf.plan, hf.train])
def test_what_no_data_make_right_is_refused_before_they_are_indexed(
    asked: dict[str, Any],
    error: type[Exception],
    said: str,
    verb: Any,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        pytest.fail("the data were indexed")

    monkeypatch.setattr(data, "index", never)
    monkeypatch.setattr(device, "_has", lambda name: name == "cpu")
    with pytest.raises(error, match=said):
        verb(tiny_data, asked, out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_there_are_not_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.touch()
    for weights in ("", "hub", str(file)):
        check_asked(from_paths({"model.weights": weights, "training.device": "cpu"}))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--data.train=0.8", "--data.val=0.2", "--data.test=0"), "data.test cannot be 0"),
        (("--training.threads=0",), "training.threads cannot be 0"),
        (("--training.workers=0",), "training.workers cannot be 0"),
    ],
)
def test_no_test_part_and_no_threads(
    flags: tuple[str, ...],
    said: str,
    tiny_data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", str(tiny_data), "--out", str(tmp_path / "plan.yaml"), *flags]) == 2
    told = " ".join(capfd.readouterr().err.split())
    assert said in told
    assert "greater than" in told
    assert not list(tmp_path.iterdir())
