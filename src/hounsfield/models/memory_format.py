"""The order of pictures in memory that a network's kernels like best: only the speed differs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FORMATS = {
    "channels-last": {4: torch.channels_last, 5: torch.channels_last_3d},
    "contiguous": {4: torch.contiguous_format, 5: torch.contiguous_format},
}


def network_in_format(network: nn.Module, name: str) -> nn.Module:
    """The network with its convolutions' weights (2-D and 3-D) in a memory format."""
    for parameter in network.parameters():
        if parameter.ndim in FORMATS[name]:
            parameter.data = parameter.data.contiguous(memory_format=FORMATS[name][parameter.ndim])
    return network


def images_in_format(images: Tensor, name: str) -> Tensor:
    """Images (B, C, Y, X) or (B, C, Z, Y, X) in a memory format."""
    return images.contiguous(memory_format=FORMATS[name][images.ndim])
