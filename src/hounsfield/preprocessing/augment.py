"""Random changes of training images: drawn per image and epoch, then applied to a whole batch.

`draw` makes plain numbers from (run seed, epoch, row) alone, so the same image of the same
epoch gets the same change whatever its batch, its worker or the device. `apply` samples the
pixels once, through the composed warp, then changes intensities where the images are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hounsfield.preprocessing import augment_kernels
from hounsfield.preprocessing.contract import Augmentation
from hounsfield.preprocessing.warp import Warp

Key = tuple[int, int, int]  # run seed, epoch, row of the catalog

# The place of each number in an image's stream: adding one at the end changes no other.
FLIP, ROTATE, SCALE, STRETCH, SHIFT_X, SHIFT_Y = range(6)
BRIGHTNESS, CONTRAST, GAMMA, NOISE, BLUR, NOISE_SEED = range(6, 12)
DRAWS = 12
# What a picture that is only looked at may be moved by: degrees, and shares
STILL = {"rotate": 8.0, "scale": 0.08, "stretch": 0.04, "shift": 0.04}
STILL_KEY = 0x5EE5  # in the place of a run's seed
BYTE_SUM_STD = math.sqrt(8 * (256**2 - 1) / 12)  # of the sum of eight uniform bytes


@dataclass(frozen=True, eq=False)
class Drawn:
    """What happens to each image of a batch; (B,) tensors on the CPU, `warp` (B, 3, 3).

    `brightness`, `noise` in the image's own standard deviations; `contrast` a factor about
    its mean; `gamma` an exponent between its darkest and brightest pixel; `blur` in pixels.
    """

    warp: Warp
    brightness: Tensor
    contrast: Tensor
    gamma: Tensor
    noise: Tensor
    blur: Tensor
    noise_seeds: Tensor  # int64

    @property
    def moves(self) -> bool:
        """Whether any image is moved."""
        matrices = self.warp.input_from_output
        return not torch.equal(matrices, torch.eye(3).expand_as(matrices))


def draw(settings: Augmentation, keys: Sequence[Key], size: tuple[int, int]) -> Drawn:
    """The change of each image, for pictures of `size` (Y, X)."""
    random = _random(keys)
    uniform = _uniform(random)
    either_way = 2 * uniform - 1
    share = torch.from_numpy(uniform[:, [NOISE, BLUR]]).float()
    tone = torch.from_numpy(either_way[:, [BRIGHTNESS, CONTRAST, GAMMA]]).float()
    return Drawn(
        warp=_drawn_warp(settings, uniform, size),
        brightness=tone[:, 0] * settings.brightness,
        contrast=1 + tone[:, 1] * settings.contrast,
        gamma=torch.exp2(tone[:, 2] * settings.gamma),
        noise=share[:, 0] * settings.noise,
        blur=share[:, 1] * settings.blur,
        noise_seeds=torch.from_numpy(random[:, NOISE_SEED].view(np.int64).copy()),
    )


def still_views(settings: Augmentation, count: int, size: tuple[int, int]) -> list[Warp]:
    """The same `count` small movements each time, for every image: maps of one picture each.

    They lie within what training varies and within STILL, and none mirrors.
    """
    limits = {name: min(getattr(settings, name), most) for name, most in STILL.items()}
    small = settings.model_copy(update={**limits, "flip": False})
    uniform = _uniform(_random([(STILL_KEY, 0, view) for view in range(max(0, count))]))
    matrices = _drawn_warp(small, uniform, size).input_from_output if count > 0 else ()
    return [Warp(matrix[None], size) for matrix in matrices]


def _uniform(random: NDArray[np.uint64]) -> NDArray[np.float64]:
    """(B, DRAWS) numbers of 64 bits as such in [0, 1)."""
    return np.asarray((random >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _random(keys: Sequence[Key]) -> NDArray[np.uint64]:
    """(B, DRAWS) numbers of 64 bits, a SplitMix64 stream for each key (Steele et al. 2014)."""
    words = np.array([[part & 0xFFFFFFFFFFFFFFFF for part in key] for key in keys], np.uint64)
    state = np.zeros(len(words), np.uint64)
    for part in words.reshape(-1, 3).T:
        state = _mixed(state + np.uint64(augment_kernels.GOLDEN) + part)
    steps = np.arange(1, DRAWS + 1, dtype=np.uint64) * np.uint64(augment_kernels.GOLDEN)
    return _mixed(state[:, None] + steps)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(augment_kernels.MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(augment_kernels.MIX_2)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def _drawn_warp(
    settings: Augmentation, uniform: NDArray[np.float64], size: tuple[int, int]
) -> Warp:
    """Flip, then rotate, scale, stretch about the centre, then shift: composed to one map."""
    either_way = 2 * uniform - 1
    sign = np.where(settings.flip & (uniform[:, FLIP] < 0.5), -1.0, 1.0)
    angle = np.deg2rad(settings.rotate) * either_way[:, ROTATE]
    zoom = (1 + settings.scale) ** -either_way[:, SCALE]
    wider = (1 + settings.stretch) ** (-either_way[:, STRETCH] / 2)
    zero, one = np.zeros_like(sign), np.ones_like(sign)
    cos, sin = np.cos(angle), np.sin(angle)
    parts = (
        _about_centre(((sign, zero), (zero, one)), size),
        _about_centre(((cos, -sin), (sin, cos)), size),
        _about_centre(((zoom, zero), (zero, zoom)), size),
        _about_centre(((wider, zero), (zero, 1 / wider)), size),
    )
    shift = np.stack(
        [
            settings.shift * size[1] * either_way[:, SHIFT_X],
            settings.shift * size[0] * either_way[:, SHIFT_Y],
        ],
        1,
    )
    moved = np.tile(np.eye(3), (len(sign), 1, 1))
    moved[:, :2, 2] = -shift
    warp = Warp(torch.from_numpy(moved), size)
    for part in reversed(parts):
        warp = part @ warp
    return Warp(warp.input_from_output.float(), size)


def _about_centre(
    linear: tuple[tuple[NDArray[np.float64], ...], ...], size: tuple[int, int]
) -> Warp:
    """input_from_output, linear about the picture's centre; float64, so composing loses nothing."""
    matrix = np.zeros((len(linear[0][0]), 3, 3))
    matrix[:, 2, 2] = 1
    for i, row in enumerate(linear):
        for j, values in enumerate(row):
            matrix[:, i, j] = values
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    matrix[:, :2, 2] = centre - matrix[:, :2, :2] @ centre
    return Warp(torch.from_numpy(matrix), size)


def apply(images: Tensor, drawn: Drawn) -> Tensor:
    """Normalised images (B, C, Y, X) → changed ones (B, C, *drawn.warp.size), same device.

    On the CPU a fused kernel does in one pass what elsewhere are batched tensor operations;
    both give the same pixels to rounding. Where nothing is drawn, the same pixels exactly.
    """
    if images.device.type == "cpu" and images.dtype == torch.float32:
        return augment_kernels.applied(
            images,
            drawn.warp.input_from_output,
            (drawn.gamma, drawn.contrast, drawn.brightness, drawn.noise, drawn.blur),
            drawn.noise_seeds,
            drawn.warp.size,
        )
    return apply_as_tensors(images, drawn)


def apply_as_tensors(images: Tensor, drawn: Drawn) -> Tensor:
    """`apply` in tensor operations, on any device and type."""
    kind, device = images.dtype, images.device
    if drawn.moves or tuple(images.shape[2:]) != drawn.warp.size:
        images = drawn.warp.to(device).images(images.float())
    if bool((drawn.blur > 0).any()):
        images = _blurred(images, drawn.blur)
    changed = _toned(images, drawn)
    if bool((drawn.noise > 0).any()):
        std = _each(torch.std(images.flatten(1).float(), 1, correction=0))
        noise = _noise(drawn.noise_seeds.to(device), images.shape[1:])
        changed = changed + _each(drawn.noise.to(device)) * std * noise
    return changed.to(kind)


def _toned(images: Tensor, drawn: Drawn) -> Tensor:
    """Gamma, contrast and brightness; each left out where it changes no image."""
    flat = images.flatten(1)
    changed, device = images, images.device
    if bool((drawn.gamma != 1).any()):
        low, high = _each(flat.amin(1)), _each(flat.amax(1))
        span = high - low
        unit = (images - low) / span.clamp(min=1e-12)
        changed = low + span * unit.clamp(0, 1) ** _each(drawn.gamma.to(device))
    if bool((drawn.contrast != 1).any()):
        mean = _each(flat.mean(1))
        changed = mean + _each(drawn.contrast.to(device)) * (changed - mean)
    if bool((drawn.brightness != 0).any()):
        std = _each(torch.std(flat, 1, correction=0))
        changed = changed + _each(drawn.brightness.to(device)) * std
    return changed


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian of its own width for each image, cut at 3 sigma; the edge is repeated."""
    batch, channels = images.shape[:2]
    reach = math.ceil(3 * float(sigma.max()))
    steps = torch.arange(-reach, reach + 1)
    width = sigma[:, None].clamp(min=1e-6)
    taps = torch.exp(-0.5 * (steps / width) ** 2) * (steps.abs() <= torch.ceil(3 * width))
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(channels, 0).to(images)
    flat = images.reshape(1, batch * channels, *images.shape[2:])
    flat = F.pad(flat, (reach,) * 4, mode="replicate")
    flat = F.conv2d(flat, taps[:, None, :, None], groups=batch * channels)
    flat = F.conv2d(flat, taps[:, None, None, :], groups=batch * channels)
    return flat.reshape(images.shape)


def _noise(seeds: Tensor, shape: torch.Size) -> Tensor:
    """Noise (B, *shape) of mean 0 and variance 1 from each image's seed and the pixel's number.

    The sum of eight random bytes: near enough to a Gaussian (it ends at 4.9), and the same
    to the last bit on every device, which no library's normal generator is.
    """
    pixel = torch.arange(1, shape.numel() + 1, device=seeds.device)
    z = seeds[:, None] + pixel * _signed(augment_kernels.GOLDEN)
    z = (z ^ _shifted(z, 30)) * _signed(augment_kernels.MIX_1)
    z = (z ^ _shifted(z, 27)) * _signed(augment_kernels.MIX_2)
    z = z ^ _shifted(z, 31)
    pairs = (z & 0x00FF00FF00FF00FF) + (_shifted(z, 8) & 0x00FF00FF00FF00FF)
    total = _shifted(pairs * 0x0001000100010001, 48)
    return ((total - 1020).float() / BYTE_SUM_STD).reshape(-1, *shape)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Logical shift to the right: int64 is the widest type that every device computes with."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word
