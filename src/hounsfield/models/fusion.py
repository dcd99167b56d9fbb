"""How the slices of a volume enter a network.

channels    slices are channels of one picture: single slice, three-channel, early fusion
late        one network for all slices; a weighted sum of their predictions
late-each   the same with a network of its own for each slice
attention   one network for all slices; features pooled by gated attention (Ilse et al. 2018,
            arXiv:1802.04712)
volume      a 3-D network

Images come as (B, C·D, Y, X) to `channels`, and as (B, C, D, Y, X) to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Forward = Callable[..., Any]  # a network, or one whose table is given already
# Logits of classes that exclude each other, logits of labels that do not, or plain values
Outputs = Literal["classes", "labels", "values"]


def entering(images: Tensor, fusion: str) -> Tensor:
    """Prepared images (B, C, D, Y, X) as the network takes them; pictures stay as they are."""
    return images.flatten(1, 2) if fusion == "channels" and images.ndim == 5 else images


def bound(network: nn.Module, table: Tensor | None) -> Forward:
    """The network of images alone, its table given."""
    return network if table is None else partial(network, table=table)


class LateFusion(nn.Module):
    """The weighted sum of the slices' predictions: logits of summed probabilities, or values.

    `bodies` is one network, or one a slice; `weights` (D,) sum to 1, and are even until they
    are fitted on validation data.
    """

    weights: Tensor

    def __init__(self, bodies: Sequence[nn.Module], depth: int, outputs: Outputs) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)
        self.outputs = outputs
        self.register_buffer("weights", torch.full((depth,), 1 / depth))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, D, Y, X) -> (B, K)."""
        per_slice = self.slices(images)
        if self.outputs == "values":
            return torch.einsum("bdk,d->bk", per_slice, self.weights)
        weights = self.weights.log()[:, None]
        if self.outputs == "classes":
            return (per_slice.log_softmax(2) + weights).logsumexp(1)
        yes = (F.logsigmoid(per_slice) + weights).logsumexp(1)
        no = (F.logsigmoid(-per_slice) + weights).logsumexp(1)
        return yes - no

    def slices(self, images: Tensor) -> Tensor:
        """The logits of each slice, (B, D, K)."""
        slices = images.transpose(1, 2)  # (B, D, C, Y, X)
        if len(self.bodies) == 1:
            flat: Tensor = self.bodies[0](slices.flatten(0, 1)).float()
            return flat.reshape(*slices.shape[:2], -1)
        each = [body(slices[:, d]) for d, body in enumerate(self.bodies)]
        return torch.stack(each, 1).float()


class AttentionPool(nn.Module):
    """Features of all slices, pooled by weights that the network learns to give them."""

    def __init__(self, body: nn.Module, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.body = body
        self.content = nn.Sequential(nn.Linear(width, hidden), nn.Tanh())
        self.gate = nn.Sequential(nn.Linear(width, hidden), nn.Sigmoid())
        self.score = nn.Linear(hidden, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, D, Y, X) -> (B, F)."""
        slices = images.transpose(1, 2)
        features = self.body(slices.flatten(0, 1)).reshape(*slices.shape[:2], -1)
        attention = self.score(self.content(features) * self.gate(features)).softmax(1)
        pooled: Tensor = (attention * features).sum(1)
        return pooled
