"""One training step of a plan's own network on its own images, to be measured and thrown away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.errors import UsageError
from hounsfield.models.fusion import bound, entering
from hounsfield.models.memory_format import images_in_format, network_in_format
from hounsfield.plan.device import computing
from hounsfield.plan.schema import Plan, TrainingPlan
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Batch, Settings, Task
from hounsfield.training.data import CaseDataset, Raw
from hounsfield.training.room import fits, largest_batch
from hounsfield.training.schedule import optimizer

WARM, TIMED = 2, 4
BLOCK = 16  # channels of oneDNN's kernels, at most

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
    away: Callable[[Way], tuple[float, float]] | None = None  # compiled, in another process

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
        targets = dataset.targets
        assert targets is not None
        batch = cls.of_batch(make, first_batch(dataset, plan), plan, task, settings)

        def losses(network: nn.Module, images: Tensor) -> Tensor:
            some = Batch(images, targets.batch(range(len(images))))
            return _loss(task, settings, network, some, dataset.table)

        return replace(batch, losses=losses)

    @classmethod
    def of_batch(
        cls,
        make: Callable[[], nn.Module],
        raw: Raw,
        plan: Plan,
        task: Task[Any, Any],
        settings: Settings,
    ) -> Trial:
        """A whole batch with its targets; of fewer images it knows no loss."""
        targets = raw.targets
        assert targets is not None

        def losses(network: nn.Module, images: Tensor) -> Tensor:
            return _loss(task, settings, network, Batch(images, targets), raw.table)

        images = entering(normalise(raw.images, plan.preprocessing), plan.model.fusion)
        return cls(make, losses, images)

    def fresh(self) -> nn.Module:
        """A network whose weights take nothing from the run's own generator."""
        with torch.random.fork_rng():
            return self.make()

    def seconds(self, way: Way, plan: TrainingPlan) -> tuple[float, float]:
        """What the first step takes and what the fastest of four, after two to warm up."""
        if way.compile and self.away is not None:
            return self.away(way)
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
        network = network_in_format(self.fresh().to(device).train(), way.memory_format)
        if way.compile:
            network.compile(dynamic=False)
        images = images_in_format(self.images[:batch].to(device), way.memory_format)
        # The weights hardly move, whatever the plan's rate.
        moves = optimizer(network, plan.model_copy(update={"learning_rate": 1e-6}))
        return lambda: _step(network, self.losses, images, moves, way.precision)


def is_narrow(network: nn.Module) -> bool:
    """Whether the network's channels-last gradients cannot be trusted on a CPU.

    oneDNN writes beyond a buffer in the gradient of a strided 1×1 convolution of fewer channels
    than a kernel's block (its issue 6035): wrong weights, or a crash.
    """
    convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    return any(
        set(one.kernel_size) == {1}
        and max(one.stride) > 1
        and one.in_channels // one.groups < BLOCK
        for one in convolutions
    )


def untrusted() -> UsageError:
    """The refusal to train such a network channels last."""
    return UsageError(
        "training.memory_format is channels-last, in which a CPU's library gets the gradients of "
        "this network's narrow 1×1 convolutions wrong, or crashes",
        expected=f"{BLOCK} channels or more into each strided 1×1 convolution",
        remedy="--training.memory-format contiguous",
    )


def first_batch(dataset: CaseDataset, plan: Plan) -> Raw:
    """As many cases of a part as the plan takes at once."""
    return dataset.__getitems__(list(range(min(plan.training.batch, len(dataset)))))


def _loss(
    task: Task[Any, Any], settings: Settings, network: nn.Module, batch: Batch, table: Tensor | None
) -> Tensor:
    some, device = len(batch.images), batch.images.device
    rows = None if table is None else table[:some].to(device)
    there = Batch(batch.images, batch.targets.to(device))
    return torch.stack(
        list(task.losses(bound(network, rows), there, None, settings).values())
    ).sum()


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
