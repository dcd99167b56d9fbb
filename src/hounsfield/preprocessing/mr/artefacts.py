"""Scores of motion and ghosting for one channel of a volume; none needs a reference image.

They rank images of one kind; between scanners and sequences they are not comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.image import Image
from hounsfield.preprocessing.foreground import inside
from hounsfield.preprocessing.mr.noise import AIR_VOXELS, air_of, dark

NAN = float("nan")


@dataclass(frozen=True)
class Artefacts:
    """All grow with the artefact; `ghost` and `streaks` are NaN where there is too little air.

    `ghost` (x, y): Nyquist ghost to signal ratio along each axis. `streaks` (x, y): energy of
    the air beside the body along this axis over that beside it along the other one. `blur`:
    gradient entropy, `entropy`: of the brightness, both from 0 to 1. Within a crop without air
    motion also blurs noise away, and `blur` does not tell it.
    """

    ghost: tuple[float, float]
    streaks: tuple[float, float]
    blur: float
    entropy: float


def artefacts(image: Image, mask: Image | None = None, channel: int = 0) -> Artefacts:
    """The scores of one channel, with the body by the mask or by Otsu's threshold.

    Raises:
        GeometryError: the mask lies on another grid.
        InputError: the image has one value, or the mask is empty.
    """
    values = np.nan_to_num(image.array[channel].astype(np.float32))
    body = inside(Image(values[None], image.geometry), mask)
    air = air_of(body)
    if not (air.any() and dark(values[air], values[body])):
        air[:] = False  # a crop within the body: its darker parts are tissue
    x, y = (streaks(values, body, air, axis) for axis in (2, 1))
    return Artefacts(
        (ghost_ratio(values, body, air, 2), ghost_ratio(values, body, air, 1)),
        (x, y),
        gradient_entropy(values),
        brightness_entropy(values),
    )


def ghost_ratio(
    values: NDArray[Any], body: NDArray[np.bool_], air: NDArray[np.bool_], axis: int
) -> float:
    """Brightness where the Nyquist ghost would lie above that of the other air, over the signal.

    The body moved by half the field of view along an axis of (Z, Y, X) covers ghost air; near
    0 (or just below) where there is none. G. Giannelli et al., "Characterization of Nyquist
    ghost in EPI-fMRI acquisition sequences", J. Appl. Clin. Med. Phys. 11 (2010).
    """
    halfway = np.roll(body, body.shape[axis] // 2, axis)
    ghosts, rest = values[air & halfway], values[air & ~halfway]
    signal = float(np.median(values[body]))
    if min(ghosts.size, rest.size) < AIR_VOXELS or signal <= 0:
        return NAN
    return (float(ghosts.mean(dtype=np.float64)) - float(np.median(rest))) / signal


def streaks(
    values: NDArray[Any], body: NDArray[np.bool_], air: NDArray[np.bool_], axis: int
) -> float:
    """Mean square of the air beside the body along one in-plane axis, over that along the other.

    What moves leaves its energy along the phase-encoding axis; 1 where neither axis stands out.
    """
    other = 3 - axis  # 1 and 2 are y and x
    beside = np.broadcast_to(body.any(axis, keepdims=True), body.shape)
    across = np.broadcast_to(body.any(other, keepdims=True), body.shape)
    along, against = values[air & beside & ~across], values[air & across & ~beside]
    if min(along.size, against.size) < AIR_VOXELS:
        return NAN
    energies = [float(np.mean(part.astype(np.float64) ** 2)) for part in (along, against)]
    if min(energies) == 0:  # air that was set to 0 tells nothing
        return 1.0 if max(energies) == 0 else NAN
    return energies[0] / energies[1]


def gradient_entropy(values: NDArray[Any]) -> float:
    """Entropy of the in-plane gradient's size, over that of equal gradients everywhere; 0 to 1.

    A still image has its gradients in few, sharp edges. K. P. McGee et al., "Image metric-based
    correction (autocorrection) of motion effects: analysis of image metrics", J. Magn. Reson.
    Imaging 11 (2000).
    """
    across = np.diff(values, axis=2)[:, :-1]
    down = np.diff(values, axis=1)[:, :, :-1]
    return _spread(np.hypot(across, down).astype(np.float64))


def brightness_entropy(values: NDArray[Any]) -> float:
    """The entropy focus criterion, over that of an even image; 0 to 1.

    D. Atkinson et al., "Automatic correction of motion artifacts in magnetic resonance images
    using an entropy focus criterion", IEEE Trans. Med. Imaging 16 (1997).
    """
    size = np.abs(values.astype(np.float64)).ravel()
    whole = float(np.sqrt(np.sum(size**2)))
    if whole == 0 or size.size < 2:
        return NAN
    share = size[size > 0] / whole
    most = np.sqrt(size.size) * np.log(np.sqrt(size.size))
    return float(-np.sum(share * np.log(share)) / most)


def _spread(weights: NDArray[np.float64]) -> float:
    """Shannon's entropy of weights that are made to sum to 1, over its largest value."""
    total = float(weights.sum())
    if total == 0 or weights.size < 2:
        return NAN
    share = weights[weights > 0] / total
    return float(-np.sum(share * np.log(share)) / np.log(weights.size))
