"""Compile the kernels before they are needed, so that the first run shows where its time goes."""

from __future__ import annotations

import numpy as np
import torch

from hounsfield.image import Image
from hounsfield.preprocessing.augment import apply, draw
from hounsfield.preprocessing.prepare import prepare
from hounsfield.preprocessing.settings import Augmentation, Preprocessing

SIDE = 16
TYPES = (np.uint8, np.uint16, np.int16, np.float32)


def warm(settings: Preprocessing, augmentation: Augmentation) -> None:
    """Run each kernel once on a tiny picture; compiled code is kept on disk for the next time."""
    small = settings.model_copy(update={"size": (SIDE, SIDE), "depth": 1})
    ramp = np.arange(4 * SIDE * SIDE).reshape(2 * SIDE, 2 * SIDE) % 256
    for kind in TYPES:
        prepare(Image.from_numpy(ramp.astype(kind)), small)
    drawn = draw(augmentation, [(0, 0, 0)], (SIDE, SIDE))
    apply(torch.zeros(1, 1, SIDE, SIDE), drawn)
