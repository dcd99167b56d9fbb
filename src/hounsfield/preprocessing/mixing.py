"""Mixup and cutmix: pictures of a batch blended, or pieces of one put into another.

No such body exists, so both are off unless asked for. Drawn from (run seed, epoch, the batch's
first row) alone, as every other change of a training image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hounsfield.preprocessing.settings import Augmentation

STREAM = 0xB1E4D  # tells these draws from others of the same seed and epoch


@dataclass(frozen=True, eq=False)
class Mix:
    """What a batch becomes: image b and, where `inside` (B, 1, Y, X) is below 1, its partner.

    `partner` (B,) are places in the batch, `share` (B,) is what remains of image b's target.
    """

    partner: Tensor
    share: Tensor
    inside: Tensor

    def images(self, images: Tensor) -> Tensor:
        """(B, C, Y, X), mixed."""
        inside = self.inside.to(images)
        return images * inside + images[self.partner.to(images.device)] * (1 - inside)

    def to(self, device: torch.device) -> Mix:
        return Mix(self.partner.to(device), self.share.to(device), self.inside.to(device))


class Mixable(Protocol):
    """Targets that can be shared between two cases."""

    def mixed(self, mix: Mix) -> Self: ...


def draw_mix(
    settings: Augmentation, seed: int, epoch: int, rows: Sequence[int], size: tuple[int, int]
) -> Mix | None:
    """How a batch of these rows is mixed; None where neither is asked for.

    Shares are drawn from Beta(α, α), one an image (Zhang et al. 2018, arXiv:1710.09412; Yun et
    al. 2019, arXiv:1905.04899); where both are on, each takes every other batch by chance.
    """
    if not settings.mixup and not settings.cutmix:
        return None
    rng = np.random.default_rng([STREAM, seed, epoch, rows[0]])
    partner = torch.from_numpy(rng.permutation(len(rows)))
    cuts = bool(settings.cutmix) and (not settings.mixup or rng.random() < 0.5)
    alpha = settings.cutmix if cuts else settings.mixup
    share = rng.beta(alpha, alpha, len(rows))
    if not cuts:
        kept = torch.from_numpy(share).float()
        return Mix(partner, kept, kept[:, None, None, None])
    inside = _outside_a_box(share, rng.random((len(rows), 2)), size)
    # The box may leave the picture: what is left of the target is what is left of the pixels.
    return Mix(partner, inside.mean((1, 2, 3)), inside)


def _outside_a_box(
    share: NDArray[np.float64], centre: NDArray[np.float64], size: tuple[int, int]
) -> Tensor:
    """(B, 1, Y, X): 0 in a box of the picture's shape about `centre`, 1 - share of it; else 1."""
    inside = np.ones((len(share), 1, *size), np.float32)
    for item, (kept, at) in enumerate(zip(share, centre, strict=True)):
        side = np.sqrt(1 - kept) * np.array(size)
        middle = at * np.array(size)
        low = np.clip(np.rint(middle - side / 2), 0, size).astype(int)
        high = np.clip(np.rint(middle + side / 2), 0, size).astype(int)
        inside[item, 0, low[0] : high[0], low[1] : high[1]] = 0
    return torch.from_numpy(inside)
