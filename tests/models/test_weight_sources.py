"""Where weights are looked for: this machine first, the hub last, and what a user is told."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from hounsfield.errors import InputError
from hounsfield.models import weight_sources
from hounsfield.models.weight_sources import cache_folder, cached, check_source, weights_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without caches, on a machine without a hub."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(weight_sources, "PACKAGES", {})
    torch_home = tmp_path / "torch"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(torch_home))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)

    def offline(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(weight_sources, "urlopen", offline)
    return tmp_path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("source", ["hub", "cache"])
def test_a_file_in_the_cache_folder_goes_before_the_hub(source: str, suffix: str) -> None:
    given = timm.create_model("resnet10t").state_dict()
    cache_folder().mkdir(parents=True)
    file = cache_folder() / f"resnet10t{suffix}"
    save_file(given, file) if suffix == ".safetensors" else torch.save(given, file)
    check_source(source, "resnet10t")
    found = weights_of(source, "resnet10t")
    assert found.origin == str(file)
    assert torch.equal(found.state["fc.weight"], given["fc.weight"])


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_the_cache_lies_where_each_platform_has_its_caches(
    platform: str, folder: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert cache_folder() == home / folder / "hounsfield" / "weights"


def test_the_caches_of_the_hub_and_of_torch_are_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "torch/checkpoints").mkdir(parents=True)
    of_torch = home / "torch/checkpoints/resnet18-f37072fd.pth"
    of_torch.touch()
    assert cached("resnet18") == of_torch
    of_hub = home / "model.safetensors"
    of_hub.touch()
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repo, file: str(of_hub) if repo.startswith("timm/resnet18") else None,
    )
    assert cached("resnet18") == of_hub
    assert cached("resnet34") is None


def test_without_a_hub_the_way_is_told() -> None:
    check_source("hub", "resnet18")  # it may be there: only asking tells
    with pytest.raises(InputError, match="the hub cannot be reached") as caught:
        weights_of("hub", "resnet18")
    told = str(caught.value)
    assert "https://huggingface.co/timm/resnet18" in told
    assert str(cache_folder() / "resnet18.safetensors") in told


@pytest.mark.parametrize("source", ["cache", "gone.safetensors"])
def test_what_is_not_on_this_machine_is_refused_at_the_door(source: str) -> None:
    with pytest.raises(InputError) as caught:
        check_source(source, "resnet18")
    assert caught.value.remedy


def test_a_file_of_another_network_is_refused_at_the_door(home: Path) -> None:
    file = home / "weights.safetensors"
    save_file(timm.create_model("resnet18", in_chans=1, num_classes=4).state_dict(), file)
    check_source(str(file), "resnet18")
    check_source(str(file), "cnn")  # whose widths the plan decides later
    with pytest.raises(InputError, match=r"--model\.name resnet18"):
        check_source(str(file), "resnet34")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read"):
        check_source(str(file), "")


def test_vits_are_matched_at_their_own_size(home: Path) -> None:
    file = home / "weights.safetensors"
    save_file(timm.create_model("vit_tiny_patch16_224").state_dict(), file)
    check_source(str(file), "vit_tiny_patch16_224")


@pytest.mark.parametrize("name", ["cnn", "densenet121-3d", "package.module:build"])
def test_networks_that_no_hub_has(name: str) -> None:
    with pytest.raises(InputError, match="there are no pretrained weights for"):
        check_source("hub", name)
    with pytest.raises(InputError, match="lie on this machine"):
        weights_of("cache", name)


def test_a_path_as_a_name_looks_nowhere_else(home: Path) -> None:
    cache_folder().mkdir(parents=True)
    (home / ".cache/hounsfield/secret.pth").touch()
    assert cached("../secret") is None
