"""Pretrained weights: what fits is taken and said, what does not is refused, nothing is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hounsfield.errors import InputError
from hounsfield.models import load
from hounsfield.models.contract import Shape
from hounsfield.models.weights import load_into, read_state


def network(name: str, channels: int, outputs: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    made = load(name)
    return made.build(made.Settings(), Shape(channels, outputs, (32, 32))).eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_weights_come_back_from_a_file(suffix: str, tmp_path: Path) -> None:
    given, own = network("cnn", 1, 2, seed=1), network("cnn", 1, 2)
    file = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(given.state_dict(), file)
    else:
        wrapped = {f"module.{name}": value for name, value in given.state_dict().items()}
        torch.save({"state_dict": wrapped, "epoch": 3}, file)
    matched = load_into(own, read_state(file), file)
    assert (matched.adapted, matched.fresh, matched.unused) == ((), (), ())
    assert len(matched.taken) == len(own.state_dict())
    images = torch.randn(2, 1, 32, 32)
    assert torch.equal(own(images), given(images))


def test_another_number_of_classes_starts_fresh_and_is_said() -> None:
    given, own = network("resnet18", 1, 5, seed=1), network("resnet18", 1, 2)
    matched = load_into(own, given.state_dict(), "file")
    assert matched.fresh == ("fc.weight", "fc.bias")
    assert "2 start fresh" in str(matched)
    assert torch.equal(own.conv1.weight, given.conv1.weight)


@pytest.mark.parametrize(("given_channels", "own_channels"), [(3, 1), (1, 3)])
@pytest.mark.parametrize("name", ["resnet18", "cnn"])
def test_a_grey_image_gives_what_its_three_copies_gave(
    name: str, given_channels: int, own_channels: int
) -> None:
    given, own = network(name, given_channels, 2, seed=1), network(name, own_channels, 2)
    matched = load_into(own, given.state_dict(), "file")
    assert len(matched.adapted) == 1
    assert matched.fresh == ()
    grey = torch.randn(2, 1, 32, 32)
    first, second = grey.expand(-1, given_channels, -1, -1), grey.expand(-1, own_channels, -1, -1)
    torch.testing.assert_close(own(second), given(first), atol=1e-4, rtol=1e-4)


def test_names_that_begin_like_a_wrapper_are_kept() -> None:
    """MONAI's networks have a `model` of their own."""
    given, own = (load("hounsfield.tasks.segmentation:build") for _ in range(2))
    nets = [one.build(one.Settings(), Shape(1, 2, (32, 32))) for one in (given, own)]
    assert next(iter(nets[0].state_dict())).startswith("model.")
    assert load_into(nets[1], nets[0].state_dict(), "file").fresh == ()


@pytest.mark.parametrize(
    ("given", "own"), [("resnet18", "densenet121"), ("cnn", "resnet18"), ("resnet50", "resnet18")]
)
def test_another_networks_weights_are_refused(given: str, own: str) -> None:
    with pytest.raises(InputError, match="of the network's weights are in the file") as caught:
        load_into(network(own, 1, 2), network(given, 1, 2).state_dict(), "weights.pt")
    assert "--model.name" in str(caught.value)


class _Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_pickled_code_is_refused_and_not_run(how: str, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "weights.pt"
    evil = {"state_dict": {"stem.0.weight": torch.zeros(2)}, "extra": _Evil(mark)}
    if how == "torch":
        torch.save(evil, file)
    else:
        file.write_bytes(pickle.dumps(evil))
    with pytest.raises(InputError, match="pickled code") as caught:
        read_state(file)
    assert caught.value.file == file
    assert not mark.exists()
    pickle.loads(pickle.dumps(_Evil(mark)))  # it would have run
    assert mark.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_damaged_empty_and_missing_files_are_told(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"weights{suffix}"
    with pytest.raises(InputError, match="no such weights file"):
        read_state(file)
    if suffix == ".safetensors":
        save_file(network("cnn", 1, 2).state_dict(), file)
    else:
        torch.save(network("cnn", 1, 2).state_dict(), file)
    whole = file.read_bytes()
    for bad in (b"", b"text\n", whole[: len(whole) // 2]):
        file.write_bytes(bad)
        with pytest.raises(InputError) as caught:
            read_state(file)
        assert caught.value.file == file
        assert caught.value.remedy


def test_a_file_without_tensors(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save({"epoch": 3}, file)
    with pytest.raises(InputError, match="holds no weights"):
        read_state(file)
