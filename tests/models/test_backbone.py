"""timm's networks: sizes, channels, features and layers of every family."""

from __future__ import annotations

import pytest
import timm
import torch
from choosing import chosen
from torch import nn

from hounsfield.errors import UsageError
from hounsfield.models import load
from hounsfield.models.assemble import headless
from hounsfield.models.backbone import Backbone, native, takes
from hounsfield.models.contract import Shape

SWIN = "swin_tiny_patch4_window7_224"
FAMILIES = {  # name -> (size to try, features)
    "resnet50": ((48, 32), 2048),
    "densenet121": ((32, 40), 1024),
    "tf_efficientnet_lite0": ((32, 48), 1280),
    "convnext_atto": ((32, 48), 320),
    "mobilenetv3_small_050": ((32, 48), 1024),
    SWIN: ((56, 56), 768),
    "vit_tiny_patch16_224": ((64, 64), 192),
    "deit_tiny_distilled_patch16_224": ((64, 64), 192),
    "levit_128s": ((64, 64), 384),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("channels", [1, 5])
def test_each_family_takes_sizes_and_channels_and_gives_features(name: str, channels: int) -> None:
    size, width = FAMILIES[name]
    network, shape = load(name), Shape(channels, 3, size)
    module = network.build(network.Settings(), shape).eval()
    images = torch.randn(2, channels, *size)
    with torch.no_grad():
        logits = module(images)
        assert logits.shape == (2, 3)
        head = network.head(module)
        layers = network.layers(module)
        assert layers
        assert set(layers) <= {name for name, _ in module.named_modules()}
        body, found = headless(network, module, shape)
        assert found == width
        torch.testing.assert_close(head(body(images)), logits)  # what was taken off was the last


def test_swin_at_56_pixels_sees_the_whole_picture() -> None:
    torch.manual_seed(0)
    module = load(SWIN).build(load(SWIN).Settings(), Shape(1, 2, (56, 56))).eval()
    image = torch.zeros(1, 1, 56, 56)
    with torch.no_grad():
        before = module(image)
        for y, x in ((0, 0), (0, 55), (55, 0), (55, 55)):
            moved = image.clone()
            moved[..., y, x] = 100
            assert not torch.allclose(module(moved), before, atol=1e-5), (y, x)


@pytest.mark.parametrize(
    ("name", "side", "size"),
    [
        (SWIN, 28, (56, 56)),
        (SWIN, 60, (112, 112)),
        (SWIN, 500, (224, 224)),
        ("vit_tiny_patch16_224", 28, (112, 112)),  # 56 px are no whole number of patches
        ("swinv2_tiny_window8_256", 500, (256, 256)),
        ("resnet18", 28, (32, 32)),
        ("resnet18", 500, None),  # the rule for large pictures stays
        ("resnet18", 64, None),
        ("dla34", 56, (64, 64)),
        ("inception_v3", 28, (96, 96)),
    ],
)
def test_the_planner_asks_for_a_size_that_the_network_takes(
    name: str, side: int, size: tuple[int, int] | None
) -> None:
    found = chosen(name, side).get("preprocessing.size")
    assert found == size
    assert size is None or takes(name, size)


@pytest.mark.parametrize(
    ("name", "cases", "weights", "rate"),
    [
        ("resnet18", 5000, "", 1e-3),
        ("resnet18", 5000, "hub", 3e-4),
        ("resnet18", 100, "hub", 1e-3),  # few images make few steps
        (SWIN, 100, "hub", 3e-4),  # transformers stand no long ones
        ("vgg16", 100, "hub", 3e-4),  # nor do networks without normalisation
    ],
)
def test_gentle_steps_for_pretrained_weights(
    name: str, cases: int, weights: str, rate: float
) -> None:
    asked = {"model.weights": weights} if weights else {}
    assert chosen(name, 64, asked, cases=cases)["training.learning_rate"] == rate


@pytest.mark.parametrize(
    ("name", "asked"),
    [("vit_tiny_patch16_224", (50, 50)), ("inception_v3", (40, 40)), ("convit_tiny", (64, 48))],
)
def test_a_size_that_it_cannot_take_is_refused_at_the_door(
    name: str, asked: tuple[int, int]
) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot take pictures of") as caught:
        chosen(name, 28, {"preprocessing.size": asked})
    sides = str(caught.value).rsplit("--preprocessing.size ", 1)[1].split(",")
    assert takes(name, (int(sides[0]), int(sides[1])))


def test_a_size_that_it_takes_is_kept() -> None:
    assert "preprocessing.size" not in chosen(SWIN, 28, {"preprocessing.size": (64, 64)})


def test_a_network_that_cannot_be_built_for_a_size_says_so() -> None:
    network = load("nest_tiny")
    with pytest.raises(UsageError, match="cannot take pictures of 50 x 50"):
        network.build(network.Settings(), Shape(1, 2, (50, 50)))


def test_timm_itself_builds_the_same_network() -> None:
    torch.manual_seed(3)
    own = Backbone("resnet18").build(Backbone("resnet18").Settings(), Shape(3, 7, (64, 64)))
    torch.manual_seed(3)
    theirs: nn.Module = timm.create_model("resnet18", num_classes=7)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(own.eval()(images), theirs.eval()(images))
    assert native("resnet18") == ((224, 224), False)
    assert native(SWIN) == ((224, 224), True)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_small_050"])
def test_two_classes_do_not_begin_sure(name: str) -> None:
    """timm starts these classifiers at a width that suits a thousand classes."""
    torch.manual_seed(0)
    head = load(name).head(load(name).build(load(name).Settings(), Shape(1, 2, (64, 64))))
    assert isinstance(head, nn.Linear)
    features = torch.rand(64, head.in_features)
    assert head(features).abs().max() < 2
    assert timm.create_model(name, num_classes=2).classifier(features).abs().max() > 4
