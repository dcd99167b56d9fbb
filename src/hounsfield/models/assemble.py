"""A run's whole network: bodies by name, and what joins slices and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hounsfield.errors import UsageError
from hounsfield.models import load
from hounsfield.models.contract import Network, Shape
from hounsfield.models.fusion import AttentionPool, LateFusion, Outputs
from hounsfield.models.joined import Joined
from hounsfield.preprocessing.table import TableSpec

PER_SLICE = ("late", "late-each", "attention")


@dataclass(frozen=True)
class Design:
    """What a network is assembled from: its name, its settings, what goes in and comes out.

    `size` is (Y, X); `depth` counts slices; `kind` says what the outputs are.
    """

    name: str
    settings: Any
    channels: int
    depth: int
    size: tuple[int, int]
    outputs: int
    fusion: str = "channels"
    kind: Outputs = "classes"
    table: TableSpec | None = None


def assemble(design: Design) -> nn.Module:
    """The network, with fresh weights drawn from torch's generator.

    Raises:
        UsageError: a fusion that the network or the data cannot have.
    """
    kind = load(design.name)
    _check(design, kind)
    shape = body_shape(design)
    if design.fusion in ("late", "late-each"):
        count = design.depth if design.fusion == "late-each" else 1
        bodies = [kind.build(design.settings, shape) for _ in range(count)]
        return LateFusion(bodies, design.depth, design.kind)
    body = kind.build(design.settings, shape)
    if design.fusion != "attention" and design.table is None:
        return body
    body, width = headless(kind, body, shape)
    if design.fusion == "attention":
        body = AttentionPool(body, width)
    return Joined(body, width, design.outputs, design.table)


def body_shape(design: Design) -> Shape:
    """What one body takes: a picture, a stack of slices as channels, or a volume."""
    if design.fusion == "volume":
        return Shape(design.channels, design.outputs, (design.depth, *design.size))
    channels = design.channels * (1 if design.fusion in PER_SLICE else design.depth)
    return Shape(channels, design.outputs, design.size)


def bodies(network: nn.Module) -> list[nn.Module]:
    """The networks by name inside an assembled one: what pretrained weights are for."""
    if isinstance(network, LateFusion):
        return list(network.bodies)
    inner = network.body if isinstance(network, Joined) else network
    return [inner.body if isinstance(inner, AttentionPool) else inner]


def heads(kind: Network[Any], network: nn.Module) -> list[nn.Module]:
    """What learns when the bodies are frozen."""
    if not isinstance(network, Joined):
        return [kind.head(body) for body in bodies(network)]
    pool = network.body if isinstance(network.body, AttentionPool) else None
    own = [pool.content, pool.gate, pool.score] if pool else []
    return [*own, *([network.encoder] if network.encoder else []), network.classifier]


def headless(kind: Network[Any], network: nn.Module, shape: Shape) -> tuple[nn.Module, int]:
    """The network without its classifier, and how many features it gives an image."""
    head = kind.head(network)
    name = next(name for name, module in network.named_modules() if module is head)
    network.set_submodule(name, nn.Identity())
    mode = network.training
    with torch.no_grad():
        features = network.eval()(torch.zeros(1, shape.channels, *shape.size))
    network.train(mode)
    return network, features.flatten(1).shape[1]


def _check(design: Design, kind: Network[Any]) -> None:
    if design.fusion == "volume" and 3 not in kind.dimensions:
        raise UsageError(
            f"{design.name} takes pictures, model.fusion is volume",
            expected="a 3-D network, e.g. --model.name cnn",
            remedy="or another fusion: channels, late, late-each or attention",
        )
    if design.fusion != "volume" and 2 not in kind.dimensions:
        raise UsageError(
            f"{design.name} takes volumes, model.fusion is {design.fusion}",
            remedy="--model.fusion volume with a --preprocessing.depth above 1",
        )
    if design.fusion != "channels" and design.depth == 1:
        raise UsageError(
            f"model.fusion is {design.fusion}, but the network gets one slice",
            remedy="--preprocessing.depth with the number of slices, or --model.fusion channels",
        )
    if design.table is not None and design.fusion in ("late", "late-each"):
        raise UsageError(
            f"model.fusion {design.fusion} sums predictions: a table has no place in it",
            remedy="--model.fusion attention, channels or volume joins a table",
        )
