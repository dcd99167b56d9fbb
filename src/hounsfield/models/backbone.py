"""Every classifier of timm, with as many input channels and classes as are needed."""

from __future__ import annotations

from dataclasses import dataclass, field

import timm
from pydantic import Field
from torch import nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

SMALLEST = 32  # pixels a side: five halvings leave one


class BackboneSettings(Base):
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")


@dataclass(frozen=True)
class Backbone:
    """A timm architecture by its name."""

    name: str
    Settings: type[BackboneSettings] = field(default=BackboneSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(2,), init=False)

    def choose(self, choosing: Choosing) -> list[Choice]:
        """Gentler steps than for the small CNN, and pictures that survive five halvings."""
        pretrained = bool(choosing.asked.get("model.weights"))
        rate = 3e-4 if pretrained else 1e-3
        why = "fine-tuning moves weights gently" if pretrained else "a deep network from scratch"
        choices = [Choice("training.learning_rate", rate, why)]
        facts = choosing.fingerprint
        if facts.tiny and min(facts.height, facts.width) < SMALLEST:
            size = (max(SMALLEST, facts.height), max(SMALLEST, facts.width))
            why = f"{self.name} halves the sides five times: pictures are enlarged for it"
            choices.append(Choice("preprocessing.size", size, why))
        return choices

    def build(self, settings: BackboneSettings, shape: Shape) -> nn.Module:
        arguments = {"in_chans": shape.channels, "num_classes": shape.outputs}
        if "img_size" in _parameters(self.name):
            arguments["img_size"] = shape.size  # type: ignore[assignment]  # timm takes both
        network: nn.Module = timm.create_model(
            self.name, pretrained=False, drop_rate=settings.dropout, **arguments
        )
        return network

    def head(self, network: nn.Module) -> nn.Module:
        classifier: nn.Module = network.get_classifier()  # type: ignore[operator]
        return classifier

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        infos = getattr(network, "feature_info", [])
        return tuple(info["module"] for info in infos)


def _parameters(name: str) -> tuple[str, ...]:
    """Arguments that transformers need for another size than their own."""
    needs_size = ("vit_", "deit", "swin", "beit", "mixer_", "cait_", "xcit_")
    return ("img_size",) if name.startswith(needs_size) else ()
