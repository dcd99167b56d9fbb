"""Augmentation: images/s of 224² in batches of 32, against torchvision v2 and MONAI.

python benches/bench_augment.py [--quick]

All flip, rotate, scale, shift, and change brightness, contrast, gamma, noise and blur of every
image. hounsfield: `draw` and `apply` on whole batches with 2 threads. The peers transform an
image at a time in a DataLoader with 2 workers, which stay alive between epochs, so that their
start is not measured.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results" / "augment.json"
SIZE, BATCH, WORKERS = (224, 224), 32, 2


def pictures(count: int) -> torch.Tensor:
    smooth = torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(smooth, SIZE, mode="bicubic").clamp(0, 1)


def ours(images: torch.Tensor) -> Callable[[int], None]:
    from hounsfield.preprocessing.augment import apply, draw
    from hounsfield.preprocessing.contract import Augmentation

    how = Augmentation(flip=True)

    def epoch(number: int) -> None:
        for start in range(0, len(images), BATCH):
            keys = [(0, number, row) for row in range(start, start + BATCH)]
            apply(images[start : start + BATCH], draw(how, keys, SIZE))

    return epoch


class Each:
    """The peers' way: an image at a time."""

    def __init__(self, images: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]):
        self.images, self.change = images, change

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.change(self.images[index])


def loaded(
    images: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]
) -> Callable[[int], None]:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Each(images, change), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )

    def epoch(number: int) -> None:
        for _ in loader:
            pass

    return epoch


class Gamma(torch.nn.Module):
    """torchvision has no random gamma; its function with a random exponent."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        from torchvision.transforms.v2 import functional

        exponent = float(2 ** (0.4 * torch.rand(()) - 0.2))
        return functional.adjust_gamma(image.clamp(0, 1), exponent)


def torchvision(images: torch.Tensor) -> Callable[[int], None]:
    from torchvision.transforms import v2

    change = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(
                10, (0.08, 0.08), (0.87, 1.15), interpolation=v2.InterpolationMode.BILINEAR
            ),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
            Gamma(),
            v2.GaussianBlur(5, (0.01, 0.5)),
            v2.GaussianNoise(sigma=0.02),
        ]
    )
    return loaded(images, change)


def monai(images: torch.Tensor) -> Callable[[int], None]:
    from monai.transforms import (
        Compose,
        RandAdjustContrast,
        RandAffine,
        RandFlip,
        RandGaussianNoise,
        RandGaussianSmooth,
        RandScaleIntensity,
        RandShiftIntensity,
    )

    change = Compose(
        [
            RandFlip(0.5, spatial_axis=1),
            RandAffine(
                1, rotate_range=0.17, translate_range=(18, 18), scale_range=(0.15, 0.15),
                mode="bilinear", padding_mode="border",
            ),
            RandShiftIntensity(0.2, prob=1),
            RandScaleIntensity(0.2, prob=1),
            RandAdjustContrast(1, gamma=(0.87, 1.15)),
            RandGaussianSmooth((0.01, 0.5), (0.01, 0.5), prob=1),
            RandGaussianNoise(1, std=0.02),
        ]
    )  # fmt: skip
    return loaded(images, lambda image: change(image).as_tensor())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="256 images instead of 1024")
    options = parser.parse_args()
    torch.set_num_threads(WORKERS)
    images = pictures(256 if options.quick else 1024)
    rates = {}
    for name, make in {"hounsfield": ours, "torchvision": torchvision, "monai": monai}.items():
        epoch = make(images)
        epoch(0)
        seconds = []
        for number in (1, 2, 3):
            start = time.perf_counter()
            epoch(number)
            seconds.append(time.perf_counter() - start)
        rates[name] = len(images) / min(seconds)
    for name, rate in rates.items():
        print(f"{name:12}{rate:>8.0f} images/s{rates['hounsfield'] / rate:>8.1f}x")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rates, indent=1) + "\n")


if __name__ == "__main__":
    main()
