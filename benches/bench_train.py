"""Training steps: images/s of each network in fp32 and bf16, contiguous and channels-last.

python benches/bench_train.py [--quick]

Where the processor has no bf16 arithmetic, only the small network shows what emulation costs.
The step of a run (augmentation, loss, gradients, optimiser) at 224 px in batches of 32, beside
the plain loop that a user writes: torchvision's resnet18, contiguous fp32, on ready batches.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from hounsfield.models import load
from hounsfield.models.contract import Shape
from hounsfield.models.memory_format import images_in_format
from hounsfield.preprocessing.augment import apply, draw
from hounsfield.preprocessing.settings import Augmentation

RESULTS = Path(__file__).parent / "results" / "train.json"
SIZE, BATCH = (224, 224), 32
WAYS = [(p, m) for p in ("fp32", "bf16") for m in ("contiguous", "channels-last")]


def rate(step: Callable[[int], None], steps: int) -> float:
    """Images a second of the median step, after two to warm up."""
    seconds = []
    for number in range(steps + 2):
        began = time.perf_counter()
        step(number)
        seconds.append(time.perf_counter() - began)
    return BATCH / sorted(seconds[2:])[steps // 2]


def ours(name: str, precision: str, memory_format: str) -> Callable[[int], None]:
    """A run's training step."""
    network = load(name)
    settings = network.Settings()
    if name == "cnn":  # what the planner chooses at this size
        values = {"widths": (16, 32, 64, 128), "blocks": (1, 1, 2, 2), "stem_stride": 4}
        settings = network.Settings(**values)
    made = network.build(settings, Shape(1, 2, SIZE)).train()
    if memory_format == "channels-last":
        made = made.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(made.parameters(), 1e-3)
    images, truth = torch.randn(BATCH, 1, *SIZE), torch.arange(BATCH) % 2

    def step(number: int) -> None:
        drawn = draw(Augmentation(), [(0, number, row) for row in range(BATCH)], SIZE)
        batch = images_in_format(apply(images, drawn), memory_format)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = F.cross_entropy(made(batch).float(), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def plain() -> Callable[[int], None]:
    """The loop of a tutorial."""
    from torchvision.models import resnet18

    network: nn.Module = resnet18(num_classes=2).train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    images, truth = torch.randn(BATCH, 3, *SIZE), torch.arange(BATCH) % 2

    def step(number: int) -> None:
        loss = F.cross_entropy(network(images), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="cnn and resnet18, three steps")
    quick = parser.parse_args().quick
    torch.manual_seed(0)
    steps = 3 if quick else 7
    found: dict[str, float] = {"plain resnet18 fp32 contiguous": rate(plain(), steps)}
    for name in ("cnn", "resnet18") if quick else ("cnn", "resnet18", "densenet121"):
        for precision, memory_format in WAYS:
            if precision == "bf16" and name != "cnn" and not torch.cpu._is_avx512_bf16_supported():
                continue  # emulated, and so slow that one network shows it
            key = f"{name} {precision} {memory_format}"
            found[key] = rate(ours(name, precision, memory_format), steps)
    base = found["plain resnet18 fp32 contiguous"]
    for key, images in found.items():
        ratio = f"{images / base:5.2f} × plain" if "resnet18" in key else ""
        print(f"{key:40} {images:8.1f} images/s  {ratio}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
