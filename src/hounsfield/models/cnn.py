"""A small residual CNN that trains well from scratch on a laptop.

Residual blocks after He et al. 2016 (doi:10.1109/CVPR.2016.90), with an even cost in each stage:
halving the sides doubles the channels twice over, so no stage starves the others.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base


class Settings(Base):
    widths: tuple[int, ...] = Field((32, 64, 128), description="channels of each stage")
    blocks: tuple[int, ...] = Field((1, 2, 2), description="residual blocks of each stage")
    stem_stride: int = Field(1, ge=1, description="how much the first layer shrinks the image")
    dropout: float = Field(0.3, ge=0, lt=1, description="before the last layer")


def choose(choosing: Choosing) -> list[Choice]:
    """A full-resolution stem for tiny pictures, a shrinking one for radiographs."""
    if choosing.fingerprint.tiny:
        why = f"pictures of {choosing.fingerprint.largest} px are too small to shrink at once"
        values = {"widths": (32, 64, 128), "blocks": (1, 2, 2), "stem_stride": 1}
    else:
        why = "large pictures are shrunk by the first layers, so that each stage costs the same"
        values = {"widths": (16, 32, 64, 128), "blocks": (1, 1, 2, 2), "stem_stride": 4}
    return [Choice(f"model.settings.{name}", value, why) for name, value in values.items()]


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class CNN(nn.Module):
    """Stem, stages of residual blocks, global average, dropout, one linear layer."""

    def __init__(self, settings: Settings, shape: Shape) -> None:
        super().__init__()
        width, stride = settings.widths[0], settings.stem_stride
        self.stem = nn.Sequential(*_stem(shape.channels, width, stride))
        stages: list[nn.Module] = []
        for stage, (outputs, count) in enumerate(
            zip(settings.widths, settings.blocks, strict=True)
        ):
            strides = [2 if stage else 1] + [1] * (count - 1)
            for s in strides:
                stages.append(Block(width, outputs, s))
                width = outputs
        self.body = nn.Sequential(*stages)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.stem(x))  # (B, C, Y, X) -> (B, width, y, x)
        logits: Tensor = self.classifier(self.dropout(x.mean((2, 3))))  # (B, outputs)
        return logits


def _stem(channels: int, width: int, stride: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    while stride >= 2:
        layers += [
            nn.Conv2d(channels, width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels, stride = width, stride // 2
    return layers or [
        nn.Conv2d(channels, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
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
