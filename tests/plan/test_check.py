"""What cannot be trained is refused before anything is indexed, audited or prepared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

import hounsfield as hf
from hounsfield.cli import main
from hounsfield.errors import InputError, UsageError
from hounsfield.plan import device
from hounsfield.plan.asked import from_paths
from hounsfield.plan.check import check_asked, check_inputs
from hounsfield.workflow import data, planning


def _mixed(folder: Path, channels: tuple[int, ...]) -> Path:
    """Two classes of pictures, whose numbers of channels take turns."""
    for number in range(12):
        path = folder / "maps" / "ab"[number % 2] / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (channels[number // 2 % len(channels)], 1, 9, 10)
        np.save(path, np.random.default_rng(number).normal(size=shape))
    return folder / "maps"


@pytest.mark.parametrize("verb", [hf.plan, hf.train])
def test_mixed_channels_are_refused_before_they_are_read(
    verb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        pytest.fail("the images were read")

    monkeypatch.setattr(planning, "audit", never)
    with pytest.raises(InputError, match="differ in their number of channels") as caught:
        verb(_mixed(tmp_path, (1, 1, 2)), out=tmp_path / "out")
    assert "8 have 1, 4 have 2" in caught.value.problem
    assert caught.value.file
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_several_channels_that_all_images_have_are_learned(tmp_path: Path) -> None:
    catalog = hf.index(_mixed(tmp_path, (2,)), tmp_path / "catalog", workers=0).catalog
    check_inputs(catalog, (2,))


def test_volumes_are_for_tasks_that_take_them(tmp_path: Path) -> None:
    catalog = hf.index(_mixed(tmp_path, (1,)), tmp_path / "catalog", workers=0).catalog
    images = catalog.images.with_columns(depth=pl.lit(5, catalog.images.schema["depth"]))
    deep = replace(catalog, images=images)
    check_inputs(deep, (2, 3))
    with pytest.raises(InputError, match="12 of 12 images are volumes of several slices"):
        check_inputs(deep, (2,))


def test_cases_of_different_inputs_are_refused(tmp_path: Path) -> None:
    catalog = hf.index(_mixed(tmp_path, (1,)), tmp_path / "catalog", workers=0).catalog
    inputs = catalog.cases["inputs"].to_list()
    inputs[0] = [{**inputs[0][0], "channel": "flair"}]
    changed = pl.Series("inputs", inputs, dtype=catalog.cases.schema["inputs"])
    with pytest.raises(InputError, match="11 have image, 1 have flair"):
        check_inputs(replace(catalog, cases=catalog.cases.with_columns(changed)), (2, 3))


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"model.weights": "gone.safetensors"}, InputError, "gone.safetensors: there is no such"),
        ({"model.name": "resnet81"}, UsageError, "resnet18"),
        ({"task.name": "clasification"}, UsageError, "classification"),
        ({"task.name": "classification", "model.settings.dept": 2}, UsageError, "cnn has no sett"),
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
    save_file({"weight": torch.zeros(2)}, file)
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
