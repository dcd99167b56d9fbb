"""The average of a network's weights over its training (Polyak and Juditsky 1992)."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average of weights and buffers; its decay grows to the one asked for."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))  # early weights are forgotten
        averages, values = self.network.state_dict(), network.state_dict()
        floats = [name for name, value in values.items() if value.is_floating_point()]
        own = [averages[name] for name in floats]
        torch._foreach_lerp_(own, [values[name] for name in floats], 1 - decay)
        for name in values.keys() - set(floats):
            averages[name].copy_(values[name])
