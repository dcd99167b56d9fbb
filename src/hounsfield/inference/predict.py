"""Predictions of prepared cases by one network or several, on each image's own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.models.fusion import Forward, bound
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Settings, Task
from hounsfield.training.data import CaseDataset, batches
from hounsfield.training.learner import as_taken, on

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
    need never be in memory together.
    """
    cache, cases = prepared.cache, prepared.cases
    device = next(networks[0].parameters()).device
    torch.set_num_threads(plan.training.threads)  # it decides the last bits of a sum
    done = 0
    for raw in batches(prepared, plan.training.batch):
        with torch.inference_mode(), _evaluating(networks), _precision(plan, device):
            images = normalise(raw.images.to(device), plan.preprocessing)
            images, table = as_taken(images, plan), on(raw.table, device)
            views = [list(_views(task, settings, bound(n, table), images, plan)) for n in networks]
        each = zip(*(view for mine in views for view in mine), strict=True)
        for row, several in zip(raw.rows, each, strict=True):
            one = task.combine(several) if len(several) > 1 else several[0]
            yield task.restore(one, cache.prepared(cases[row]))
        done += len(raw.rows)
        if progress:
            progress(done, len(cases))


def _views(
    task: Task[Any, Any], settings: Settings, network: Forward, images: Tensor, plan: Plan
) -> Iterator[list[Any]]:
    yield task.predict(network, images, settings)
    if plan.evaluation.mirror:
        width = images.shape[-1]
        flipped = task.predict(network, images.flip(-1), settings)
        yield [task.mirrored(one, width) for one in flipped]


@contextmanager
def _evaluating(networks: Sequence[nn.Module]) -> Iterator[None]:
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


@contextmanager
def _precision(plan: Plan, device: torch.device) -> Iterator[None]:
    enabled = plan.training.precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        yield
