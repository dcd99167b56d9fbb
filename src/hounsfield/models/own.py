"""A researcher's own network: `package.module:build`, called with keyword arguments.

def build(*, channels: int, outputs: int, size: tuple[int, int], **settings) -> nn.Module
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.errors import UsageError, did_you_mean
from hounsfield.models.contract import Shape
from hounsfield.tasks.contract import Choosing
from hounsfield.tasks.contract import Settings as Base


class OwnSettings(Base):
    """Whatever the function takes."""

    model_config = ConfigDict(frozen=True, extra="allow")


@dataclass(frozen=True)
class Own:
    """The network that a function of the user's builds."""

    name: str
    Settings: type[OwnSettings] = field(default=OwnSettings, init=False)
    dimensions: tuple[int, ...] = field(default=(2, 3), init=False)

    def __post_init__(self) -> None:
        self._function()  # a name that cannot be imported is told at once

    def choose(self, choosing: Choosing) -> list[Choice]:
        """No opinion; a setting that the function does not take is refused here, at the door."""
        prefix = "model.settings."
        given = [path.removeprefix(prefix) for path in choosing.asked if path.startswith(prefix)]
        takes = inspect.signature(self._function()).parameters
        if not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
            for name in given:
                if name not in takes:
                    raise UsageError(
                        f"{self.name} takes no setting {name!r}",
                        remedy=did_you_mean(name, set(takes) - {"channels", "outputs", "size"}),
                    )
        return []

    def build(self, settings: OwnSettings, shape: Shape) -> nn.Module:
        network = self._function()(
            channels=shape.channels, outputs=shape.outputs, size=shape.size, **settings.model_dump()
        )
        if not isinstance(network, nn.Module):
            raise UsageError(
                f"{self.name} gave no network ({type(network).__name__})",
                expected="a torch.nn.Module: images (B, C, Y, X) -> (B, outputs)",
                remedy="let the function return the network",
            )
        self._try(network, shape)
        return network

    def _try(self, network: nn.Module, shape: Shape) -> None:
        """One pass of two empty images, so that a network that cannot take them says so now."""
        images = torch.zeros(2, shape.channels, *shape.size)
        mode = network.training
        try:
            with torch.no_grad():
                made = network.eval()(images)
        except Exception as error:
            raise UsageError(
                f"{self.name} cannot take images of shape {tuple(images.shape)} ({error})",
                expected="a network for these sizes: images (B, C, Y, X) -> (B, outputs)",
                remedy="build it from the `channels` and `size` that the function is given",
            ) from error
        finally:
            network.train(mode)
        if isinstance(made, Tensor) and made.shape[:2] != (2, shape.outputs):
            raise UsageError(
                f"{self.name} gives {tuple(made.shape)} for two images",
                expected=f"(2, {shape.outputs}): a row an image, a column an output",
                remedy="build the last layer from the `outputs` that the function is given",
            )

    def head(self, network: nn.Module) -> nn.Module:
        """The last layer that has weights."""
        own = [m for m in network.modules() if next(m.parameters(recurse=False), None) is not None]
        return own[-1]

    def layers(self, network: nn.Module) -> tuple[str, ...]:
        return tuple(n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Conv3d))

    def _function(self) -> Callable[..., Any]:
        module, _, function = self.name.partition(":")
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)  # as `python` itself does: the user's file lies beside them
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"the network {self.name!r} cannot be imported ({error})",
                expected="package.module:build, importable from here",
                remedy="check both names; the current folder is on the path",
            ) from error
        return found
