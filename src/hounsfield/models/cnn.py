"""A small residual CNN that trains well from scratch on a laptop.

Residual blocks after He et al. 2016 (doi:10.1109/CVPR.2016.90), with an even cost in each stage:
halving the sides doubles the channels twice over, so no stage starves the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

dimensions = (2, 3)


class Settings(Base):
    widths: tuple[int, ...] = Field((32, 64, 128), description="channels of each stage")
    blocks: tuple[int, ...] = Field((1, 2, 2), description="residual blocks of each stage")
    stem_stride: int = Field(1, ge=1, description="how much the first layer shrinks the image")
    dropout: float = Field(0.3, ge=0, lt=1, description="before the last layer")


def choose(choosing: Choosing) -> list[Choice]:
    """A full-resolution stem for tiny pictures, a shrinking one for radiographs and volumes."""
    if choosing.fingerprint.depth > 1 and choosing.asked.get("model.fusion", "volume") == "volume":
        why = "a small 3-D network: its convolutions cost a third dimension"
        stride = 1 if choosing.fingerprint.largest <= 32 else 2
        values = {"widths": (16, 32, 64), "blocks": (1, 1, 1), "stem_stride": stride}
    elif choosing.fingerprint.tiny:
        why = f"pictures of {choosing.fingerprint.largest} px are too small to shrink at once"
        values = {"widths": (32, 64, 128), "blocks": (1, 2, 2), "stem_stride": 1}
    else:
        why = "large pictures are shrunk by the first layers, so that each stage costs the same"
        values = {"widths": (16, 32, 64, 128), "blocks": (1, 1, 2, 2), "stem_stride": 4}
    return [Choice(f"model.settings.{name}", value, why) for name, value in values.items()]


@dataclass(frozen=True)
class Layers:
    """The layers of pictures, or of volumes."""

    conv: type[nn.Conv2d | nn.Conv3d]
    norm: type[nn.BatchNorm2d | nn.BatchNorm3d]


LAYERS = {2: Layers(nn.Conv2d, nn.BatchNorm2d), 3: Layers(nn.Conv3d, nn.BatchNorm3d)}


class Block(nn.Module):
    """Two convolutions of 3 pixels a side and a shortcut."""

    def __init__(self, kind: Layers, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = kind.conv(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = kind.norm(outputs)
        self.conv2 = kind.conv(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = kind.norm(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else kind.conv(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class CNN(nn.Module):
    """Stem, stages of residual blocks, global average, dropout, one linear layer."""

    def __init__(self, settings: Settings, shape: Shape) -> None:
        super().__init__()
        width, stride = settings.widths[0], settings.stem_stride
        kind = LAYERS[len(shape.size)]
        self.stem = nn.Sequential(*_stem(kind, shape.channels, width, stride))
        stages: list[nn.Module] = []
        for stage, (outputs, count) in enumerate(
            zip(settings.widths, settings.blocks, strict=True)
        ):
            strides = [2 if stage else 1] + [1] * (count - 1)
            for s in strides:
                stages.append(Block(kind, width, outputs, s))
                width = outputs
        self.body = nn.Sequential(*stages)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.stem(x))  # (B, C, Y, X) -> (B, width, y, x), or with Z and z
        mean = x.mean((2, 3) if x.ndim == 4 else (2, 3, 4))
        logits: Tensor = self.classifier(self.dropout(mean))  # (B, outputs)
        return logits


def _stem(kind: Layers, channels: int, width: int, stride: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    while stride >= 2:
        layers += [
            kind.conv(channels, width, 3, 2, 1, bias=False),
            kind.norm(width),
            nn.ReLU(),
        ]
        channels, stride = width, stride // 2
    return layers or [
        kind.conv(channels, width, 3, 1, 1, bias=False),
        kind.norm(width),
        nn.ReLU(),
    ]


def build(settings: Settings, shape: Shape) -> nn.Module:
    with torch.no_grad():
        return CNN(settings, shape)


def head(network: nn.Module) -> nn.Module:
    assert isinstance(network, CNN)
    return network.classifier


def layers(network: nn.Module) -> tuple[str, ...]:
    assert isinstance(network, CNN)
    return tuple(f"body.{i}" for i in range(len(network.body)))
