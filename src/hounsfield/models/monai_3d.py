"""3-D networks of MONAI: DenseNet-121 (Huang et al. 2017) and ResNet-18 and -50 (He et al. 2016).

Volumes are (B, C, Z, Y, X). Weights of 2-D networks are no weights of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field
from torch import nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.backbone import learning_rate
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

SMALLEST = 32  # voxels a side: five halvings leave one


class DenseNetSettings(Base):
    dropout: float = Field(0.0, ge=0, lt=1, description="in each dense layer")


class ResNetSettings(Base):
    stem_stride: Literal[1, 2] = Field(2, description="how much the first layer shrinks a volume")
    stem_pool: bool = Field(True, description="max pooling after the first layer")


@dataclass(frozen=True)
class DenseNet:
    """MONAI's DenseNet-121."""

    Settings: type[DenseNetSettings] = field(default=DenseNetSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(3,), init=False)

    def choose(self, choosing: Choosing) -> list[Choice]:
        """Volumes of at least 32 voxels a side: it halves them five times."""
        facts, asked = choosing.fingerprint, choosing.asked
        choices = [learning_rate(choosing)]
        why = "it halves a volume five times: each side has at least 32 voxels"
        if "preprocessing.depth" not in asked and facts.depth < SMALLEST:
            choices.append(Choice("preprocessing.depth", SMALLEST, why))
        if "preprocessing.size" not in asked and facts.tiny and min(facts.size) < SMALLEST:
            size = (max(SMALLEST, facts.height), max(SMALLEST, facts.width))
            choices.append(Choice("preprocessing.size", size, why))
        return choices

    def build(self, settings: DenseNetSettings, shape: Shape) -> nn.Module:
        from monai.networks.nets import DenseNet121

        network: nn.Module = DenseNet121(
            3, shape.channels, shape.outputs, dropout_prob=settings.dropout
        )
        return network

    def head(self, network: nn.Module) -> nn.Module:
        return network.get_submodule("class_layers.out")

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        return tuple(f"features.denseblock{block}" for block in (1, 2, 3, 4))


@dataclass(frozen=True)
class ResNet:
    """One of MONAI's ResNets."""

    depth: int
    Settings: type[ResNetSettings] = field(default=ResNetSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(3,), init=False)

    def choose(self, choosing: Choosing) -> list[Choice]:
        """A gentler stem for tiny volumes, as the MedMNIST benchmark has it."""
        choices = [learning_rate(choosing)]
        facts = choosing.fingerprint
        if facts.tiny:
            why = f"volumes of {facts.largest} voxels are too small to shrink fourfold at once"
            choices.append(Choice("model.settings.stem_stride", 1, why))
        return choices

    def build(self, settings: ResNetSettings, shape: Shape) -> nn.Module:
        from monai.networks import nets

        make: Any = {18: nets.resnet18, 50: nets.resnet50}[self.depth]
        network: nn.Module = make(
            spatial_dims=3,
            n_input_channels=shape.channels,
            num_classes=shape.outputs,
            conv1_t_stride=settings.stem_stride,
            no_max_pool=not settings.stem_pool,
        )
        return network

    def head(self, network: nn.Module) -> nn.Module:
        return network.get_submodule("fc")

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        return tuple(f"layer{stage}" for stage in (1, 2, 3, 4))


DENSENET121 = DenseNet()
RESNET18, RESNET50 = ResNet(18), ResNet(50)
