"""The last step before the network, on the device that trains: [0, 1] to its own scale."""

from __future__ import annotations

import torch
from torch import Tensor

from hounsfield.errors import UsageError
from hounsfield.preprocessing.contract import Preprocessing

LEAST_STD = 1e-4  # a constant image becomes 0, not infinite; storage steps are as large


def normalise(images: Tensor, settings: Preprocessing) -> Tensor:
    """Prepared images (B, C, …) in [0, 1] → the network's scale, by `settings.normalise`.

    Raises:
        UsageError: `dataset` without a mean and std for each channel.
    """
    if settings.normalise == "zero-one":
        return images
    if settings.normalise == "minus-one-one":
        return images * 2 - 1
    if settings.normalise == "image":
        axes = tuple(range(2, images.ndim))
        std, mean = torch.std_mean(images, axes, correction=0, keepdim=True)
        return (images - mean) / std.clamp(min=LEAST_STD)
    channels = images.shape[1]
    if len(settings.mean) != channels:
        raise UsageError(
            f"normalise=dataset has {len(settings.mean)} means for {channels} channels",
            expected="one mean and one std for each channel",
            remedy="fit them on the training part, or give preprocessing.mean and .std",
        )
    shape = (1, channels, *(1,) * (images.ndim - 2))
    mean = images.new_tensor(settings.mean).view(shape)
    std = images.new_tensor(settings.std).view(shape).clamp(min=LEAST_STD)
    return (images - mean) / std
