"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556) as it is used on small medical pictures.

Its last maps are averaged over the picture, so that any size gives the same features, and its
max-pool layers can be left out from a stage on, so that small pictures keep some places. Layers
have timm's names: its weights and torchvision's load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.backbone import learning_rate
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
STAGES = len(WIDTHS)
LAST_MAP = 7  # pixels a side: what VGG leaves of its own 224


class VGGSettings(Base):
    pool: Literal["max", "identity"] = Field(
        "max", description="identity: no max pooling from stage `pool_from` on"
    )
    pool_from: int = Field(4, ge=1, le=STAGES, description="the first stage without max pooling")
    top: Literal["average", "full"] = Field(
        "average", description="average: 512 features; full: VGG's two layers of 4096"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")


@dataclass(frozen=True)
class Kind:
    """One depth of VGG, with batch normalisation or without."""

    depth: int
    normalised: bool = False
    Settings: type[VGGSettings] = field(default=VGGSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(2,), init=False)

    def choose(self, choosing: Choosing) -> list[Choice]:
        """Halving ends where VGG's own last map is reached, so that no picture vanishes."""
        choices = [learning_rate(choosing)]
        facts = choosing.fingerprint
        sides = choosing.asked.get("preprocessing.size") or facts.size
        known = isinstance(sides, list | tuple) and all(isinstance(s, int) for s in sides)
        side = min(sides) if known and (facts.tiny or "preprocessing.size" in choosing.asked) else 0
        if side and (kept := _halvings(side)) < STAGES:
            why = f"{kept} halvings leave {side >> kept} of {side} px, as VGG's own do of 224"
            choices.append(Choice("model.settings.pool", "identity", why))
            choices.append(Choice("model.settings.pool_from", kept + 1, why))
        return choices

    def build(self, settings: VGGSettings, shape: Shape) -> nn.Module:
        return VGG(self, settings, shape)

    def head(self, network: nn.Module) -> nn.Module:
        assert isinstance(network, VGG)
        return network.head.fc

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        """The last maps of each stage, before they are pooled."""
        assert isinstance(network, VGG)
        return network.ends


VGG11, VGG13, VGG16, VGG19 = (Kind(depth) for depth in DEPTHS)
VGG11_BN, VGG13_BN, VGG16_BN, VGG19_BN = (Kind(depth, normalised=True) for depth in DEPTHS)


class Top(nn.Module):
    """The two layers of 4096 units, as convolutions of 7 pixels and 1."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, 4096, LAST_MAP)
        self.fc2 = nn.Conv2d(4096, 4096, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 512, y, x) -> (B, 4096, 1, 1); maps of other sizes are averaged to 7 x 7."""
        x = nn.functional.adaptive_avg_pool2d(maps, LAST_MAP)
        features: Tensor = self.fc2(self.dropout(self.fc1(x).relu())).relu()
        return features


class Head(nn.Module):
    """The average over the picture, dropout, one linear layer."""

    def __init__(self, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(maps.mean((2, 3))))
        return logits


class VGG(nn.Module):
    """Stages of 3 x 3 convolutions, each ending in max pooling or in nothing."""

    def __init__(self, kind: Kind, settings: VGGSettings, shape: Shape) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        ends: list[int] = []
        channels = shape.channels
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS[kind.depth], strict=True)):
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] if kind.normalised else []
                layers.append(nn.ReLU())
                channels = width
            ends.append(len(layers) - 1)
            left_out = settings.pool == "identity" and stage + 1 >= settings.pool_from
            # Identity, not nothing: the layers' numbers stay those of pretrained weights
            layers.append(nn.Identity() if left_out else nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pre_logits = Top(channels, settings.dropout) if settings.top == "full" else None
        features = 4096 if settings.top == "full" else channels
        self.head = Head(features, shape.outputs, settings.dropout)
        self.ends = tuple(f"features.{end}" for end in ends)
        self._start()

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)  # (B, C, Y, X) -> (B, 512, y, x)
        logits: Tensor = self.head(maps if self.pre_logits is None else self.pre_logits(maps))
        return logits

    @torch.no_grad()
    def _start(self) -> None:
        """Without this, the signal dies out in 16 layers without normalisation."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.fc.weight, 0, 0.01)
        nn.init.zeros_(self.head.fc.bias)


def _halvings(side: int) -> int:
    """How often a side can be halved and leave VGG's own last map."""
    return next((k for k in range(STAGES) if side >> (k + 1) < LAST_MAP), STAGES)
