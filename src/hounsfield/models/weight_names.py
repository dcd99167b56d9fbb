"""The names that weights have in other libraries' files, as the network's own.

Each dialect is a function from (tensors, network) to tensors under timm's names. The one after
which most weights fit by name and shape is taken; that a name is right is so never assumed.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

State = Mapping[str, Tensor]
Dialect = Callable[[State, nn.Module], State]
Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]

# Added by DataParallel, torch.compile, Lightning modules, torchxrayvision's ResNet, Swin's SSL …
WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.", "backbone.", "encoder.")


@dataclass(frozen=True)
class Spoken:
    """Weights under the network's own names, and which library's names they had."""

    state: State
    dialect: str


def spoken(state: State, network: nn.Module) -> Spoken:
    """The weights under the network's names, from the dialect of which most fit."""
    own = network.state_dict()
    plain = _unwrapped(state, own)
    best, most = Spoken(plain, "its own"), fit(plain, own)
    for dialect, translate in DIALECTS.items():
        if most == _size(own):
            break
        said = _of_timm(translate(plain, network), network)
        fits = fit(said, own)
        if fits > most:
            best, most = Spoken(said, dialect), fits
    return best


def fit(state: State, own: State) -> int:
    """How many numbers of a network are given under its names and in its shapes."""
    return sum(t.numel() for n, t in own.items() if n in state and state[n].shape == t.shape)


def stems(network: nn.Module) -> tuple[str, ...]:
    """The weights that see the image's channels: as timm says, or the first convolution's."""
    config = getattr(network, "pretrained_cfg", None)
    named = config.get("first_conv") if isinstance(config, Mapping) else None
    given = (named,) if isinstance(named, str) else tuple(named or ())
    own = network.state_dict()
    known = tuple(f"{name}.weight" for name in given if f"{name}.weight" in own)
    return known or tuple(name for name, tensor in own.items() if tensor.ndim >= 4)[:1]


def _size(own: State) -> int:
    return sum(tensor.numel() for tensor in own.values())


def _unwrapped(state: State, own: State) -> State:
    """Without the prefixes that wrappers add, where a network has no such names itself."""

    def plain(name: str) -> str:
        shorter = name
        for prefix in WRAPPERS:
            if shorter in own:
                break
            shorter = shorter.removeprefix(prefix)
        return shorter

    return {plain(name): tensor for name, tensor in state.items()}


def _of_timm(state: State, network: nn.Module) -> State:
    """As timm reads older files of a network, and files for pictures of another size."""
    read = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if read is None or not type(network).__module__.startswith("timm."):
        return state
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of speed
            made: State = read(dict(state), network)
    except (LookupError, ValueError, RuntimeError, AttributeError, TypeError, AssertionError):
        return state  # another network's: told by how little of it fits
    return {name: tensor for name, tensor in made.items() if isinstance(tensor, Tensor)}


def _renamed(state: State, rules: Rules, network: nn.Module) -> State:
    """Each name after every rule, in their order; a tensor in its new name's shape if it can."""
    own = network.state_dict()
    made = {}
    for name, tensor in state.items():
        new = name
        for pattern, replacement in rules:
            new = re.sub(pattern, replacement, new)
        shape = own[new].shape if new in own else tensor.shape
        # A linear layer is the convolution of one place, a scale (C, 1, 1) is one of (C,).
        fits = tensor.ndim != len(shape) and tensor.numel() == prod(shape)
        made[new] = tensor.reshape(shape) if fits else tensor
    return made


def _stage(form: str, *, below: int = 0) -> Callable[[re.Match[str]], str]:
    """torchvision counts stages and the steps between them in one list, timm apart."""
    return lambda found: form.format((int(found[1]) - below) // 2, *found.groups()[1:])


# DenseNets saved before torchvision 0.3, and torchxrayvision's of that time
DENSENET: Rules = ((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),)
VGG: Rules = (
    (r"^classifier\.0\.", "pre_logits.fc1."),
    (r"^classifier\.3\.", "pre_logits.fc2."),
    (r"^classifier\.6\.", "head.fc."),
)
SWIN: Rules = (
    (r"^features\.0\.0\.", "patch_embed.proj."),
    (r"^features\.0\.2\.", "patch_embed.norm."),
    (r"^features\.([1357])\.(\d+)\.", _stage("layers.{}.blocks.{}.", below=1)),
    (r"^features\.([246])\.", _stage("layers.{}.downsample.")),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^head\.(weight|bias)", r"head.fc.\1"),
)
CONVNEXT: Rules = (
    (r"^features\.0\.", "stem."),
    (r"^features\.([246])\.", _stage("stages.{}.downsample.")),
    (r"^features\.([1357])\.(\d+)\.", _stage("stages.{}.blocks.{}.", below=1)),
    (r"\.layer_scale$", ".gamma"),
    (r"\.block\.0\.", ".conv_dw."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".mlp.fc1."),
    (r"\.block\.5\.", ".mlp.fc2."),
    (r"^classifier\.0\.", "head.norm."),
    (r"^classifier\.2\.", "head.fc."),
)
VIT: Rules = (
    (r"^class_token$", "cls_token"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^(?:encoder\.)?pos_embedding$", "pos_embed"),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
    (r"^(?:encoder\.)?ln\.", "norm."),
    (r"^heads\.head\.", "head."),
)

# Convolution and normalisation of each part of an EfficientNet's block, by how many parts it has
PLAIN = (("conv_dw", "bn1"), ("se", ""), ("conv_pw", "bn2"))
WIDER = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("se", ""), ("conv_pwl", "bn3"))


def _one_headed(state: State, network: nn.Module) -> State:
    """Of a network whose several classifiers were made one (`backbone.Headed`)."""
    own = network.state_dict()
    return {f"body.{n}" if f"body.{n}" in own else n: tensor for n, tensor in state.items()}


def _by(rules: Rules) -> Dialect:
    return lambda state, network: _renamed(state, rules, network)


def _efficientnet(state: State, network: nn.Module) -> State:
    """torchvision's EfficientNet B0 to B7: features.STAGE.BLOCK.block.PART."""
    found = [re.match(r"features\.(\d+)\.", name) for name in state]
    last = max((int(one[1]) for one in found if one), default=0)
    wider = {m[1] for name in state if (m := re.match(r"(features\.\d+\.\d+)\.block\.3\.", name))}

    def part(match: re.Match[str]) -> str:
        stage, block, number, inner = match.groups()
        parts = WIDER if f"features.{stage}.{block}" in wider else PLAIN
        conv, norm = parts[min(int(number), len(parts) - 1)]
        if conv == "se":
            inside = {"fc1": "se.conv_reduce", "fc2": "se.conv_expand"}.get(inner, inner)
        else:
            inside = {"0": conv, "1": norm}.get(inner, inner)
        return f"blocks.{int(stage) - 1}.{block}.{inside}."

    rules: Rules = (
        (r"^features\.0\.0\.", "conv_stem."),
        (r"^features\.0\.1\.", "bn1."),
        (rf"^features\.{last}\.0\.", "conv_head."),
        (rf"^features\.{last}\.1\.", "bn2."),
        (r"^features\.(\d+)\.(\d+)\.block\.(\d)\.(\w+)\.", part),
        (r"^classifier\.1\.", "classifier."),
    )
    return _renamed(state, rules, network)


def _efficientnet_pytorch(state: State, network: nn.Module) -> State:
    """The package efficientnet_pytorch and what grew from it: blocks are counted through."""
    places = [re.match(r"(blocks\.\d+\.\d+)\.", name) for name in network.state_dict()]
    blocks = list(dict.fromkeys(place[1] for place in places if place))
    wider = {m[1] for name in state if (m := re.match(r"_blocks\.(\d+)\._expand_conv", name))}
    inside = {"_depthwise_conv": "conv_dw", "_se_reduce": "se.conv_reduce"}
    inside |= {"_se_expand": "se.conv_expand"}
    expanded = {"_expand_conv": "conv_pw", "_project_conv": "conv_pwl"}
    expanded |= {"_bn0": "bn1", "_bn1": "bn2", "_bn2": "bn3"}

    def part(match: re.Match[str]) -> str:
        number, name = match.groups()
        if int(number) >= len(blocks):
            return match[0]
        known = inside | (expanded if number in wider else {"_project_conv": "conv_pw"})
        return f"{blocks[int(number)]}.{known.get(name, name.removeprefix('_'))}."

    rules: Rules = (
        (r"^_blocks\.(\d+)\.(\w+)\.", part),
        (r"^_conv_(stem|head)\.", r"conv_\1."),
        (r"^_bn0\.", "@."),  # bn1 here is bn2 there
        (r"^_bn1\.", "bn2."),
        (r"^@\.", "bn1."),
        (r"^_fc\.", "classifier."),
    )
    return _renamed(state, rules, network)


DIALECTS: dict[str, Dialect] = {
    "timm": _one_headed,
    "torchvision (DenseNet)": _by(DENSENET),
    "torchvision (VGG)": _by(VGG),
    "torchvision (Swin)": _by(SWIN),
    "torchvision (ConvNeXt)": _by(CONVNEXT),
    "torchvision (ViT)": _by(VIT),
    "torchvision (EfficientNet)": _efficientnet,
    "efficientnet_pytorch": _efficientnet_pytorch,
}

# What tells a family, and its usual members
FAMILIES: dict[str, tuple[str, ...]] = {
    r"^(features\.)?denseblock1": ("densenet121", "densenet169", "densenet201", "densenet161"),
    r"^layer1\.0\.conv1": (
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
        "wide_resnet50_2",
    ),
    r"^features\.0\.weight": (
        "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    ),
    r"relative_position_bias_table": (
        "swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224",
        "swin_base_patch4_window7_224",
    ),
    r"(layer_scale|gamma)$": ("convnext_tiny", "convnext_small", "convnext_base"),
    r"^(blocks\.0\.norm1|encoder\.layers\.encoder_layer_0)": (
        "vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224",
    ),
    r"(^features\.1\.0\.block|^_blocks\.0|^conv_stem)": (
        "tf_efficientnet_lite0", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2",
        "efficientnet_b3", "efficientnet_b4", "mobilenetv3_large_100", "mobilenetv3_small_100",
        "mobilenetv2_100",
    ),
}  # fmt: skip
SURE = 0.9  # of a known network's weights, its classifier's and first layer's aside


def looks_like(state: State) -> str | None:
    """The common network that weights are of, where they can be recognised."""
    import timm
    import torch

    plain = _unwrapped(state, {})
    if any(re.match(r"body\.0\.(conv1|norm1)\.", name) for name in plain):
        return "cnn"
    for pattern, names in FAMILIES.items():
        if not any(re.search(pattern, name) for name in plain):
            continue
        for name in names:
            with torch.device("meta"):
                network: Any = timm.create_model(name)
            own = _body(network)
            if fit(spoken(state, network).state, own) >= SURE * _size(own):
                return name
    return None


def _body(network: Any) -> State:
    """The weights of a network of timm that do not depend on classes and channels."""
    ends = (network.pretrained_cfg["classifier"],) if network.pretrained_cfg else ()
    own: State = network.state_dict()
    others = (*(f"{end}.weight" for end in ends), *(f"{end}.bias" for end in ends), *stems(network))
    return {name: tensor for name, tensor in own.items() if name not in others}
