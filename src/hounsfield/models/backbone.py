"""Every classifier of timm, with as many input channels and classes as are needed.

Which sizes of pictures a network takes is asked of timm and tried on a copy without numbers
(torch's meta device), never told from its name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from math import sqrt
from typing import Any

import timm
import torch
from pydantic import Field
from torch import Tensor, nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.errors import UsageError
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

SMALLEST = 32  # pixels a side: five halvings leave one
FEW = 1000  # training cases
ROOMY = 96  # every network that takes any size takes this one
Size = tuple[int, ...]


class BackboneSettings(Base):
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")


@dataclass(frozen=True)
class Backbone:
    """A timm architecture by its name."""

    name: str
    Settings: type[BackboneSettings] = field(default=BackboneSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(2,), init=False)

    def choose(self, choosing: Choosing) -> list[Choice]:
        """Gentler steps than for the small CNN, and pictures of a size that the network takes.

        Raises:
            UsageError: a size was asked for that it does not take.
        """
        facts = choosing.fingerprint
        own, fixed = native(self.name)
        choices = [learning_rate(choosing, few=facts.cases < FEW and not fixed)]
        if "preprocessing.size" in choosing.asked:
            self._check(choosing.asked["preprocessing.size"])
            return choices
        if not facts.tiny:
            why = f"{self.name} is made for pictures of this size"
            return [*choices, Choice("preprocessing.size", own, why)] if fixed else choices
        pictures = (max(SMALLEST, facts.height), max(SMALLEST, facts.width))
        size = self._smallest(pictures, own) if fixed else self._free(pictures)
        if size != facts.size:
            halves = f"{self.name} halves the sides five times: pictures are enlarged for it"
            why = f"the smallest even share of {self.name}'s own {own[0]} px" if fixed else halves
            choices.append(Choice("preprocessing.size", size, why))
        return choices

    def build(self, settings: BackboneSettings, shape: Shape) -> nn.Module:
        try:
            network = _create(self.name, shape, settings.dropout)
            _calm(self.head(network))
            return network
        except (AssertionError, RuntimeError, ValueError, TypeError) as error:
            raise self._refused(shape.size, error) from error

    def head(self, network: nn.Module) -> nn.Module:
        if isinstance(network, Headed):
            return network.classifier
        classifier: nn.Module = network.get_classifier()  # type: ignore[operator]
        return classifier

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        """The ends of the stages; of a network that does not tell them, its convolutions."""
        body = network.body if isinstance(network, Headed) else network
        prefix = "body." if isinstance(network, Headed) else ""
        known = dict(network.named_modules())
        told = [f"{prefix}{info['module']}" for info in getattr(body, "feature_info", [])]
        found = tuple(name for name in told if name in known)
        return found or tuple(n for n, m in known.items() if isinstance(m, nn.Conv2d))

    def _smallest(self, pictures: Size, own: Size) -> Size:
        """The smallest share of a network's own size that holds the pictures."""
        largest = max(pictures)
        return next((size for size in _shares(own[0], largest) if takes(self.name, size)), own)

    def _free(self, pictures: Size) -> Size:
        """The pictures' own size, or the next that leaves every layer a pixel."""
        if takes(self.name, pictures):
            return pictures
        even = range(SMALLEST, max(ROOMY, *pictures) + SMALLEST, SMALLEST)
        fitting = (side for side in even if side >= max(pictures) and takes(self.name, (side,) * 2))
        found = next(fitting, native(self.name)[0][0])
        return found, found

    def _check(self, asked: Any) -> None:
        size = tuple(asked) if isinstance(asked, list | tuple) else ()
        own, fixed = native(self.name)
        sides = [side for side in size if isinstance(side, int) and side > 0]
        if len(sides) != 2 or len(size) != 2 or size == own:
            return  # what is no size is refused by its own name
        if (fixed or min(sides) < ROOMY) and not takes(self.name, size):
            raise self._refused(size, None)

    def _refused(self, size: Size, error: Exception | None) -> UsageError:
        own, _ = native(self.name)
        near = next((s for s in _shares(own[0], max(size)) if takes(self.name, s)), own)
        said = f" ({error})" if error is not None and str(error) else ""
        return UsageError(
            f"{self.name} cannot take pictures of {' x '.join(map(str, size))} pixels{said}",
            expected=f"its own size, {own[0]},{own[1]}, or an even share or multiple of it",
            remedy=f"--preprocessing.size {near[0]},{near[1]}",
        )


class Headed(nn.Module):
    """A network with several classifiers (distilled ones have) made one with a single one."""

    def __init__(self, body: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.classifier = nn.Linear(width, outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.body(images))
        return logits


def learning_rate(choosing: Choosing, *, few: bool = False) -> Choice:
    """Of deep networks, by where their training starts.

    Few images make few steps: with the short ones of a long fine-tuning, ImageNet's weights were
    no better than none on 100 to 200 radiographs (examples/transfer).
    """
    if choosing.asked.get("model.weights") and few:
        why = f"{choosing.fingerprint.cases} images make few steps to fine-tune by"
        return Choice("training.learning_rate", 1e-3, why)
    if choosing.asked.get("model.weights"):
        return Choice("training.learning_rate", 3e-4, "fine-tuning moves weights gently")
    return Choice("training.learning_rate", 1e-3, "a deep network from scratch")


@cache
def native(name: str) -> tuple[tuple[int, int], bool]:
    """The size (Y, X) that a network is made for, and whether it must be built for a size."""
    config = timm.get_pretrained_cfg(name)
    size = config.input_size[1:] if config and config.input_size else (224, 224)
    return (int(size[0]), int(size[1])), bool(config and config.fixed_input_size)


@cache
def takes(name: str, size: Size) -> bool:
    """Can a network be built for pictures of this size, and does it look at all of them?"""
    try:
        with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = _create(name, Shape(1, 2, size), 0.0).eval()
            logits = network(torch.zeros(1, 1, *size))
    except NotImplementedError:  # an operation without a meta kernel tells nothing
        return True
    except (AssertionError, RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError):
        return False
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", (1, 1))
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
    whole = all(side % step == 0 for side, step in zip(size, sides, strict=False))
    return whole and logits.shape == (1, 2)


def _shares(own: int, pictures: int) -> Iterator[Size]:
    """Square sizes that a network made for `own` pixels may take: its halves, then multiples."""
    halves = takewhile(lambda s: s >= max(SMALLEST, pictures), (own // 2**k for k in range(10)))
    multiples = range(-(-pictures // SMALLEST) * SMALLEST, 2 * own + 1, SMALLEST)
    larger = (own * k for k in range(2, 2 + pictures // own))
    for side in (*sorted(set(halves)), *multiples, *larger):
        yield side, side


def _create(name: str, shape: Shape, dropout: float) -> nn.Module:
    arguments: dict[str, Any] = {"in_chans": shape.channels, "drop_rate": dropout}
    own, fixed = native(name)
    try:
        sized = {"img_size": shape.size} if fixed and shape.size != own else {}
        network = _of_timm(name, shape.outputs, arguments | sized)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        network = _of_timm(name, shape.outputs, arguments)  # takes what comes
    if not isinstance(network.get_classifier(), nn.Module):
        body = _of_timm(name, 0, arguments | sized)
        return Headed(body, body.num_features, shape.outputs)
    assert isinstance(network, nn.Module)
    return network


def _calm(head: nn.Module) -> None:
    """EfficientNet's last layer starts as wide as 1000 classes need: two begin far too sure."""
    if not isinstance(head, nn.Linear) or head.weight.is_meta:
        return
    if head.weight.std() > 2 / sqrt(head.in_features):
        head.reset_parameters()


def _of_timm(name: str, outputs: int, arguments: dict[str, Any]) -> Any:
    return timm.create_model(name, pretrained=False, num_classes=outputs, **arguments)
