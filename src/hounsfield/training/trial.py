"""One training step of a plan's own network on its own images, to be measured and thrown away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.models.fusion import bound, entering
from hounsfield.models.memory_format import images_in_format, network_in_format
from hounsfield.plan.device import computing
from hounsfield.plan.schema import Plan, TrainingPlan
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Batch, Settings, Task
from hounsfield.training.data import CaseDataset
from hounsfield.training.room import fits, largest_batch
from hounsfield.training.schedule import optimizer

WARM, TIMED = 2, 4

Losses = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class Way:
    """How a network computes: only its speed and its last digits differ."""

    precision: str = "fp32"
    memory_format: str = "channels-last"
    compile: bool = False

    def __str__(self) -> str:
        return f"{self.precision} {self.memory_format}{' compiled' if self.compile else ''}"


@dataclass(frozen=True, eq=False)
class Trial:
    """A batch of images as the network takes them, the network anew, and its loss of some."""

    make: Callable[[], nn.Module]
    losses: Losses  # of the first images of the batch, however many are given
    images: Tensor

    @classmethod
    def of(
        cls,
        make: Callable[[], nn.Module],
        dataset: CaseDataset,
        plan: Plan,
        task: Task[Any, Any],
        settings: Settings,
    ) -> Trial:
        """The first batch of a part with targets."""
        raw = dataset.__getitems__(list(range(min(plan.training.batch, len(dataset)))))
        targets, table = dataset.targets, raw.table
        assert targets is not None

        def losses(network: nn.Module, images: Tensor) -> Tensor:
            some, device = len(images), images.device
            batch = Batch(images, targets.batch(range(some)).to(device))
            rows = None if table is None else table[:some].to(device)
            return torch.stack(
                list(task.losses(bound(network, rows), batch, None, settings).values())
            ).sum()

        images = entering(normalise(raw.images, plan.preprocessing), plan.model.fusion)
        return cls(make, losses, images)

    def seconds(self, way: Way, plan: TrainingPlan) -> tuple[float, float]:
        """What the first step takes and what the fastest of four, after two to warm up."""
        step = self._steps(way, plan, len(self.images))
        each = [step() for _ in range(WARM + TIMED)]
        return each[0], min(each[WARM:])

    def fits(self, way: Way, plan: TrainingPlan, batch: int) -> bool:
        """Whether two steps of so many images do (the optimiser's memory comes with the first)."""
        return fits(lambda: self._two(way, plan, batch))

    def largest(self, way: Way, plan: TrainingPlan) -> int:
        """The largest halved batch that fits; 0 where not even one image does."""
        return largest_batch(lambda batch: self._two(way, plan, batch), len(self.images))

    def _two(self, way: Way, plan: TrainingPlan, batch: int) -> None:
        step = self._steps(way, plan, batch)
        step(), step()

    def _steps(self, way: Way, plan: TrainingPlan, batch: int) -> Callable[[], float]:
        device = computing(plan)
        with torch.random.fork_rng():
            network = self.make().to(device).train()
        network = network_in_format(network, way.memory_format)
        if way.compile:
            network.compile(dynamic=False)
        images = images_in_format(self.images[:batch].to(device), way.memory_format)
        # The weights hardly move, whatever the plan's rate.
        moves = optimizer(network, plan.model_copy(update={"learning_rate": 1e-6}))
        return lambda: _step(network, self.losses, images, moves, way.precision)


def _step(
    network: nn.Module,
    losses: Losses,
    batch: Tensor,
    moves: torch.optim.Optimizer,
    precision: str,
) -> float:
    if batch.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = losses(network, batch)
    moves.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    moves.step()
    if batch.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began
