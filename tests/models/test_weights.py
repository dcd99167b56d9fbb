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
from hounsfield.models.assemble import Design, assemble, bodies
from hounsfield.models.contract import Shape
from hounsfield.models.weights import load_into, read_state, with_channels


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


@pytest.mark.parametrize(
    ("given_channels", "own_channels"), [(3, 1), (1, 3), (2, 3), (2, 1), (3, 9)]
)
@pytest.mark.parametrize("name", ["resnet18", "cnn"])
def test_a_grey_image_gives_what_its_copies_gave(
    name: str, given_channels: int, own_channels: int
) -> None:
    given, own = network(name, given_channels, 2, seed=1), network(name, own_channels, 2)
    matched = load_into(own, given.state_dict(), "file")
    assert len(matched.adapted) == 1
    assert matched.fresh == ()
    grey = torch.randn(2, 1, 32, 32)
    first, second = grey.expand(-1, given_channels, -1, -1), grey.expand(-1, own_channels, -1, -1)
    torch.testing.assert_close(own(second), given(first), atol=1e-4, rtol=1e-4)


def test_the_sum_rule_by_hand() -> None:
    given = torch.tensor([[[[1.0]], [[2.0]], [[6.0]]]])  # (1, 3, 1, 1)
    assert with_channels(given, 1).flatten().tolist() == [9.0]
    assert with_channels(given, 2).flatten().tolist() == [4.5, 4.5]
    assert with_channels(given, 9).shape == (1, 9, 1, 1)


def test_flat_weights_do_not_enter_a_3d_network() -> None:
    given = network("resnet18", 1, 2).state_dict()
    kind = load("resnet18-3d")
    own = kind.build(kind.Settings(), Shape(1, 2, (16, 16, 16)))
    with pytest.raises(InputError, match="of the network's weights"):
        load_into(own, given, "file")


def test_names_that_begin_like_a_wrapper_are_kept() -> None:
    """MONAI's networks have a `model` of their own."""
    given, own = (load("hounsfield.tasks.segmentation:build") for _ in range(2))
    nets = [one.build(one.Settings(), Shape(1, 2, (32, 32))) for one in (given, own)]
    assert next(iter(nets[0].state_dict())).startswith("model.")
    assert load_into(nets[1], nets[0].state_dict(), "file").fresh == ()


@pytest.mark.parametrize(
    ("given", "own", "told"),
    [
        ("resnet18", "densenet121", "--model.name resnet18"),
        ("resnet50", "resnet18", "--model.name resnet50"),
        ("densenet121", "resnet18", "--model.name densenet121"),
        ("tf_efficientnet_lite0", "resnet18", "--model.name tf_efficientnet_lite0"),
        ("cnn", "resnet18", "--model.name cnn"),
        ("simple-nn", "resnet18", "check that --model.name"),
    ],
)
def test_another_networks_weights_are_refused_and_named(given: str, own: str, told: str) -> None:
    module = network(own, 1, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(InputError, match="of the network's weights are in the file") as caught:
        load_into(module, network(given, 3, 5).state_dict(), "weights.pt")
    assert told in str(caught.value)
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_with_the_layer(value: float) -> None:
    given, own = network("resnet18", 1, 2, seed=1).state_dict(), network("resnet18", 1, 2)
    kept = own.conv1.weight.clone()
    given["layer3.0.conv2.weight"][1, 2, 0, 0] = value
    with pytest.raises(InputError, match=r"1 layers hold NaN or infinity.*layer3\.0\.conv2"):
        load_into(own, given, "file")
    assert torch.equal(own.conv1.weight, kept)  # nothing was copied


def test_no_number_in_what_is_not_used_is_no_fault() -> None:
    """torchxrayvision's files have operating points that are NaN where none was found."""
    given, own = network("resnet18", 1, 2, seed=1).state_dict(), network("resnet18", 1, 2)
    matched = load_into(own, {**given, "op_threshs": torch.full((18,), torch.nan)}, "file")
    assert matched.unused == ("op_threshs",)


def test_all_lists_are_kept_for_the_report() -> None:
    given, own = network("resnet18", 3, 5, seed=1), network("resnet18", 1, 2)
    listed = load_into(own, given.state_dict(), "file").listed()
    assert listed["adapted"] == ["conv1.weight"]
    assert listed["fresh"] == ["fc.weight", "fc.bias"]
    assert listed["unused"] == []
    assert set(listed["taken"]) == set(own.state_dict()) - {"conv1.weight", "fc.weight", "fc.bias"}


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


@pytest.mark.parametrize("fusion", ["late-each", "attention"])
def test_every_body_of_a_fusion_takes_the_weights(fusion: str) -> None:
    given = network("resnet18", 3, 1000, seed=4).state_dict()
    kind = load("resnet18")
    design = Design(
        "resnet18", kind.Settings(), channels=1, depth=3, size=(32, 32), outputs=2, fusion=fusion
    )
    found = bodies(assemble(design))
    assert len(found) == (3 if fusion == "late-each" else 1)
    for body in found:
        matched = load_into(body, given, "file")
        assert matched.adapted == ("conv1.weight",)
        assert torch.equal(
            body.get_submodule("layer4.1.conv2").weight, given["layer4.1.conv2.weight"]
        )
