"""What every network promises, ours, timm's and a researcher's own."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from hounsfield.errors import UsageError
from hounsfield.models import NETWORKS, load
from hounsfield.models.backbone import SMALLEST
from hounsfield.models.contract import Shape

OWN = """
from torch import nn

def build(*, channels, outputs, size, width=4):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(width, outputs), nn.Dropout(0.1),
    )

def broken(*, channels, outputs, size):
    return "a network"

def other_size(channels, outputs, size):
    return nn.Sequential(nn.Flatten(), nn.Linear(3, outputs))

def other_outputs(channels, outputs, size):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], 5))
"""
# One deep network of each kind stands for its brothers.
NAMES = ("cnn", "simple-nn", "vgg11", "vgg11_bn", "resnet18", "densenet121", "own_network:build")
ANY_SIZE = ("cnn", "simple-nn", "own_network:build")
SHAPES = (Shape(1, 2, (28, 28)), Shape(3, 4, (64, 48)), Shape(1, 3, (224, 224)))


@pytest.fixture(scope="module", autouse=True)
def _own(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_network.py").write_text(OWN)
    (folder / "own_volume.py").write_text(OWN.replace("2d", "3d"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
    sys.path[:] = [path for path in sys.path if path != str(folder)]


def _built(name: str, shape: Shape) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    network = load(name)
    module = network.build(network.Settings(), shape)
    with torch.no_grad():
        for weights in module.parameters():  # some start at 0, and stop gradients there
            weights.add_(0.02 * torch.randn_like(weights))
    return network, module


def _fit(name: str, shape: Shape) -> Shape:
    """Smaller pictures are enlarged for timm's networks, by their choice."""
    small = name not in ANY_SIZE and min(shape.size) < SMALLEST
    return replace(shape, size=(SMALLEST, SMALLEST)) if small else shape


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.channels}x{shape.size}")
@pytest.mark.parametrize("name", NAMES)
def test_a_network_keeps_its_promises(name: str, shape: Shape) -> None:
    network, module = _built(name, _fit(name, shape))
    shape = _fit(name, shape)
    images = torch.randn(2, shape.channels, *shape.size)
    logits = module(images)
    assert logits.shape == (2, shape.outputs)
    assert torch.isfinite(logits).all()
    logits.square().sum().backward()
    assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []

    head = network.head(module)
    assert head in list(module.modules())
    assert next(head.parameters()).shape[0] == shape.outputs
    known = dict(module.named_modules())
    assert all(layer in known for layer in network.layers(module))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "simple-nn"])
def test_the_layers_for_explanation_are_maps(name: str) -> None:
    network, module = _built(name, SHAPES[1])
    layers = network.layers(module)
    assert layers
    seen = []
    dict(module.named_modules())[layers[-1]].register_forward_hook(
        lambda *call: seen.append(call[-1])
    )
    module.eval()(torch.zeros(1, 3, 64, 48))
    assert seen[0].ndim == 4


@pytest.mark.parametrize(
    "name", ["cnn", "simple-nn", "own_volume:build", "densenet121-3d", "resnet18-3d"]
)
def test_a_network_of_volumes_keeps_its_promises(name: str) -> None:
    shape = Shape(2, 3, (32, 33, 40))
    network, module = _built(name, shape)
    assert 3 in network.dimensions
    logits = module(torch.randn(2, 2, *shape.size))
    assert logits.shape == (2, 3)
    logits.square().sum().backward()
    assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert next(network.head(module).parameters()).shape[0] == 3
    known, seen = dict(module.named_modules()), []
    for layer in network.layers(module)[-1:]:
        known[layer].register_forward_hook(lambda *call: seen.append(call[-1]))
        module.eval()(torch.zeros(1, 2, *shape.size))
        assert seen[0].ndim == 5


def test_every_name_in_the_list_is_there() -> None:
    from hounsfield.models.monai_3d import RESNET50
    from hounsfield.models.vgg import VGG19_BN

    for name in NETWORKS:
        assert load(name).Settings()
    assert load("resnet50-3d") is RESNET50
    assert load("vgg19_bn") is VGG19_BN


def test_one_image_is_enough_to_predict() -> None:
    for name in NAMES:
        shape = _fit(name, SHAPES[0])
        _, module = _built(name, shape)
        assert module.eval()(torch.zeros(1, 1, *shape.size)).shape == (1, 2)


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(UsageError, match="no network 'desnet121'") as caught:
        load("desnet121")
    assert "'densenet121'" in str(caught.value)


@pytest.mark.parametrize("name", ["own_network:missing", "nowhere:build", ":build"])
def test_an_own_network_that_cannot_be_imported(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        load(name)


def test_an_own_function_that_gives_something_else() -> None:
    network = load("own_network:broken")
    with pytest.raises(UsageError, match=r"gave no network \(str\)"):
        network.build(network.Settings(), SHAPES[0])


@pytest.mark.parametrize(
    ("name", "said"),
    [("own_network:other_size", r"cannot take images of shape \(2, 1, 28, 28\)"),
     ("own_network:other_outputs", r"gives \(2, 5\) for two images Expected: \(2, 2\)")],
)  # fmt: skip
def test_an_own_network_of_another_shape(name: str, said: str) -> None:
    network = load(name)
    with pytest.raises(UsageError) as refused:
        network.build(network.Settings(), SHAPES[0])
    assert re.search(said, " ".join(str(refused.value).split()))


def test_an_own_networks_settings_reach_it_and_others_are_refused(facts: Any) -> None:
    from hounsfield.tasks.contract import Choosing

    network = load("own_network:build")
    settings = network.Settings.model_validate({"width": 6})
    assert network.build(settings, SHAPES[0])[0].out_channels == 6
    assert network.choose(Choosing(facts, {"model.settings.width": 6})) == []
    with pytest.raises(UsageError, match="takes no setting 'widht'") as caught:
        network.choose(Choosing(facts, {"model.settings.widht": 6}))
    assert "'width'" in str(caught.value)


@pytest.fixture
def facts() -> None:
    """An own network looks at no fact."""
