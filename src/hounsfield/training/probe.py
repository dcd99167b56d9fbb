"""A short measurement before a run: how fast this network learns here, in each precision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.memory_format import FORMATS, images_in_format, network_in_format
from hounsfield.plan.device import computing
from hounsfield.plan.schema import TrainingPlan

WARM, TIMED = 2, 4
GAIN = 1.05  # a change must be this much faster to be worth it

Losses = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class Speed:
    """Images learned from a second, in one precision and memory format."""

    precision: str
    memory_format: str
    images: float

    def __str__(self) -> str:
        return f"{self.precision} {self.memory_format}: {self.images:.0f} images/s"


def probe(
    build: Callable[[], nn.Module],
    losses: Losses,
    images: Tensor,
    plan: TrainingPlan,
    fixed: Mapping[str, str],
) -> list[Speed]:
    """Time training steps on one batch (B, C, Y, X), in every way that the device can.

    `fixed` holds the precision or memory format that is no longer open. Each way: two steps
    to warm up, four timed, the fastest counts. The network is thrown away.
    """
    device = computing(plan)
    found = []
    for precision, memory_format in _open_ways(device, fixed):
        with torch.random.fork_rng():
            network = build().to(device).train()
        network = network_in_format(network, memory_format)
        batch = images_in_format(images.to(device), memory_format)
        optimizer = torch.optim.SGD(network.parameters(), 1e-6)
        seconds = [_step(network, losses, batch, optimizer, precision) for _ in range(WARM + TIMED)]
        found.append(Speed(precision, memory_format, len(images) / min(seconds[WARM:])))
    return found


def choices(speeds: list[Speed], plan: TrainingPlan, cases: int) -> Iterator[Choice]:
    """Precision and memory format by speed, and epochs that fit the budget."""
    evidence = "; ".join(map(str, speeds))
    best = speeds[0]
    for speed in speeds[1:]:
        best = speed if speed.images > GAIN * best.images else best
    why = "the fastest of a short measurement before the first step"
    yield Choice("training.precision", best.precision, why, "measured", evidence)
    yield Choice("training.memory_format", best.memory_format, why, "measured", evidence)
    affordable = int(60 * plan.budget * best.images / max(1, cases))
    if affordable < plan.epochs:
        why = f"what {plan.budget:g} minutes allow at {best.images:.0f} images/s"
        yield Choice("training.epochs", max(1, affordable), why, "measured", evidence)


def _ways(device: torch.device) -> Iterator[tuple[str, str]]:
    """The first is the safe one."""
    yield from (("fp32", memory_format) for memory_format in FORMATS)
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        yield from (("bf16", memory_format) for memory_format in FORMATS)
    elif device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        yield "bf16", "channels-last"


def _open_ways(device: torch.device, fixed: Mapping[str, str]) -> list[tuple[str, str]]:
    """Where nothing measured is left, what is fixed alone: the speed still sets the epochs."""
    asked = (fixed.get("precision"), fixed.get("memory_format"))
    ways = [
        way for way in _ways(device) if all(a in (None, b) for a, b in zip(asked, way, strict=True))
    ]
    return ways or [(asked[0] or "fp32", asked[1] or "channels-last")]


def _step(
    network: nn.Module,
    losses: Losses,
    batch: Tensor,
    optimizer: torch.optim.Optimizer,
    precision: str,
) -> float:
    if batch.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = losses(network, batch)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if batch.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began
