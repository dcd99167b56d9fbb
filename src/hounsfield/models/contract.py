"""What a network is: a module with these names, listed in `models.NETWORKS`.

Settings                          its own numbers, a frozen type
choose(choosing) -> [Choice]      values of the plan that it has an opinion on
build(settings, shape)            the network: images (B, C, Y, X) -> (B, outputs)
head(network) -> nn.Module        what learns when the body is frozen
layers(network) -> names          the layers that explanation may look at, the deepest last
dimensions                        (2,) for pictures, (3,) for volumes (B, C, Z, Y, X), or both
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from hounsfield.catalog.fingerprint import Choice
from hounsfield.tasks.contract import Choosing, Settings

if TYPE_CHECKING:
    from torch import nn

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Shape:
    """What goes in and comes out: `size` is (Y, X) or (Z, Y, X)."""

    channels: int
    outputs: int
    size: tuple[int, ...]


class Network(Protocol[S]):
    """The names that every network has (see the module's docstring)."""

    @property
    def Settings(self) -> type[S]: ...  # noqa: N802  (it is a type)

    @property
    def dimensions(self) -> tuple[int, ...]: ...

    def choose(self, choosing: Choosing) -> list[Choice]: ...
    def build(self, settings: S, shape: Shape) -> nn.Module: ...
    def head(self, network: nn.Module) -> nn.Module: ...
    def layers(self, network: nn.Module) -> tuple[str, ...]: ...
