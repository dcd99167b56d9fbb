"""A fully connected network: linear layers, batch normalisation, ReLU, dropout."""

from __future__ import annotations

from math import prod

from pydantic import Field
from torch import nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base

dimensions = (2, 3)


class Settings(Base):
    hidden: tuple[int, ...] = Field((256, 128), description="units of each hidden layer")
    dropout: float = Field(0.3, ge=0, lt=1, description="after each hidden layer")


def choose(choosing: Choosing) -> list[Choice]:
    """Small pictures only: a fully connected layer has no notion of place."""
    if choosing.fingerprint.tiny:
        return []
    why = "fully connected layers on large pictures need more weights than there are images"
    return [Choice("preprocessing.size", (64, 64), why)]


def build(settings: Settings, shape: Shape) -> nn.Module:
    width = shape.channels * prod(shape.size)
    layers: list[nn.Module] = [nn.Flatten()]
    for units in settings.hidden:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.ReLU()]
        layers += [nn.Dropout(settings.dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, shape.outputs))


def head(network: nn.Module) -> nn.Module:
    assert isinstance(network, nn.Sequential)
    return network[-1]


def layers(network: nn.Module) -> tuple[str, ...]:
    """None: no layer keeps places apart."""
    return ()
