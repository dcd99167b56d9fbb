"""Predictions of prepared cases by one network or several, on each image's own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.models.fusion import bound
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.augment import still_views
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Settings, Task
from hounsfield.training.data import CaseDataset, Raw
from hounsfield.training.learner import as_taken, on
from hounsfield.training.room import fits, too_large

Progress = Callable[[int, int], None]


def each_prediction(
    task: Task[Any, Any],
    settings: Settings,
    plan: Plan,
    networks: Sequence[nn.Module],
    prepared: CaseDataset,
    progress: Progress | None = None,
) -> Iterator[Any]:
    """One prediction a case of the cache, in order; several networks and views are combined.

    Each is brought to its image's own grid when it is asked for, so that a data set's label maps
    need never be in memory together. Where memory runs out, fewer images go in at once.

    Raises:
        UsageError: not even one image fits into memory.
    """
    seers = Seers(task, settings, plan, networks)
    torch.set_num_threads(plan.training.threads)  # it decides the last bits of a sum
    done, size, count = 0, plan.training.batch, len(prepared)
    while done < count:
        rows = list(range(done, min(done + size, count)))
        found = _within_memory(seers, prepared, rows)
        if found is None:
            if size == 1:
                raise too_large(1, 0, seers.device.type)
            size //= 2
            continue
        for row, several in zip(rows, found, strict=True):
            one = task.combine(several) if len(several) > 1 else several[0]
            yield task.restore(one, prepared.cache.prepared(prepared.cases[row]))
        done += len(rows)
        if progress:
            progress(done, count)


@dataclass(frozen=True, eq=False)
class Seers:
    """Networks that look at each image together."""

    task: Task[Any, Any]
    settings: Settings
    plan: Plan
    networks: Sequence[nn.Module]

    @property
    def device(self) -> torch.device:
        return next(self.networks[0].parameters()).device

    def see(self, raw: Raw) -> list[tuple[Any, ...]]:
        """For each image, the predictions of each network and view."""
        device = self.device
        with torch.inference_mode(), evaluating(self.networks), in_precision(self.plan, device):
            images = normalise(raw.images.to(device), self.plan.preprocessing)
            table = on(raw.table, device)
            views = [view for one in self.networks for view in self._views(one, images, table)]
        return list(zip(*views, strict=True))

    def _views(
        self, network: nn.Module, images: Tensor, table: Tensor | None
    ) -> Iterator[list[Any]]:
        forward, evaluation = bound(network, table), self.plan.evaluation

        def predict(seen: Tensor) -> list[Any]:
            return self.task.predict(forward, as_taken(seen, self.plan), self.settings)

        yield predict(images)
        if evaluation.mirror:
            width = images.shape[-1]
            yield [self.task.mirrored(one, width) for one in predict(images.flip(-1))]
        stack = images.flatten(1, -3)  # (B, C·D, Y, X): the slices of a volume move together
        size = (images.shape[-2], images.shape[-1])
        for warp in still_views(self.plan.augmentation, evaluation.views - 1, size):
            several = warp.to(self.device).repeated(len(images))
            yield predict(several.images(stack).reshape(images.shape))


def _within_memory(
    seers: Seers, prepared: CaseDataset, rows: list[int]
) -> list[tuple[Any, ...]] | None:
    """What is seen in these rows; None where memory runs out."""
    found: list[tuple[Any, ...]] = []
    return found if fits(lambda: found.extend(seers.see(prepared.__getitems__(rows)))) else None


@contextmanager
def evaluating(networks: Sequence[nn.Module]) -> Iterator[None]:
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


@contextmanager
def in_precision(plan: Plan, device: torch.device) -> Iterator[None]:
    enabled = plan.training.precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        yield
