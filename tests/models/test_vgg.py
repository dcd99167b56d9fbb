"""VGG against torchvision's, and what small pictures need of it."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision
from choosing import chosen
from torch import nn

from hounsfield.models import load
from hounsfield.models.assemble import headless
from hounsfield.models.contract import Shape
from hounsfield.models.weights import load_into


def built(name: str, shape: Shape, **settings: Any) -> nn.Module:
    kind = load(name)
    return kind.build(kind.Settings.model_validate(settings), shape).eval()


@pytest.mark.parametrize("name", ["vgg11", "vgg13_bn", "vgg16", "vgg19"])
def test_the_convolutions_are_torchvisions(name: str) -> None:
    theirs = getattr(torchvision.models, name)(num_classes=2).features.eval()
    own = built(name, Shape(3, 2, (64, 64)))
    own.features.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(own.features(images), theirs(images))


@pytest.mark.parametrize("size", [(28, 28), (64, 40)])
def test_the_features_are_the_averages_of_the_last_maps(size: tuple[int, int]) -> None:
    shape = Shape(1, 2, size)
    pool = {} if min(size) > 32 else {"pool": "identity", "pool_from": 3}
    network = built("vgg16", shape, **pool)
    images = torch.randn(2, 1, *size)
    with torch.no_grad():
        maps = network.features(images)
        body, width = headless(load("vgg16"), network, shape)
        assert width == 512
        expected = nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        torch.testing.assert_close(body(images), expected)


def test_pooling_is_left_out_from_a_stage_on() -> None:
    shape, images = Shape(1, 2, (32, 32)), torch.zeros(1, 1, 32, 32)
    for pool_from, side in ((1, 32), (3, 8), (5, 2)):
        network = built("vgg11", shape, pool="identity", pool_from=pool_from)
        assert network.features(images).shape[-1] == side
    assert built("vgg11", shape, pool="max", pool_from=1).features(images).shape[-1] == 1
    assert len(network.features) == len(built("vgg11", shape).features)  # names of weights stay


def test_the_full_top_is_torchvisions_classifier() -> None:
    """Both cut to 8 units wide: VGG's own top has 120 million weights."""
    from hounsfield.models.vgg import Top

    theirs = nn.Sequential(
        nn.AdaptiveAvgPool2d(7), nn.Flatten(),
        nn.Linear(4 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
    )  # fmt: skip
    own, maps = Top(4, 0.0), torch.randn(1, 4, 9, 5)
    with torch.no_grad():
        own.fc1.weight.copy_(theirs[2].weight.reshape(own.fc1.weight.shape))
        own.fc2.weight.copy_(theirs[4].weight.reshape(own.fc2.weight.shape))
        own.fc1.bias.copy_(theirs[2].bias)
        own.fc2.bias.copy_(theirs[4].bias)
        torch.testing.assert_close(own(maps).flatten(1), theirs(maps), atol=1e-5, rtol=1e-4)


def test_timms_weights_load_but_for_the_top() -> None:
    with torch.device("meta"):
        names = set(timm.create_model("vgg16").state_dict())
    own = built("vgg16", Shape(3, 2, (64, 64)))
    assert {n for n in own.state_dict() if n.startswith("features")} <= names
    given = {n: torch.full_like(t, 0.5) for n, t in own.state_dict().items() if "features" in n}
    matched = load_into(own, given, "file")
    assert matched.fresh == ("head.fc.weight", "head.fc.bias")


@pytest.mark.parametrize(("side", "kept"), [(28, 2), (64, 3), (224, None)])
def test_small_pictures_are_halved_less(side: int, kept: int | None) -> None:
    choices = chosen("vgg16", side)
    if kept is None:
        assert "model.settings.pool" not in choices
        return
    assert choices["model.settings.pool"] == "identity"
    assert choices["model.settings.pool_from"] == kept + 1
    assert side >> kept >= 7 > side >> (kept + 1)


def test_an_asked_size_decides_the_halvings() -> None:
    assert "model.settings.pool" not in chosen("vgg16", 28, {"preprocessing.size": (224, 224)})
    assert chosen("vgg16", 500, {"preprocessing.size": (64, 64)})["model.settings.pool_from"] == 4
