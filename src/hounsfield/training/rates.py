"""The learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3).

A network trains while the rate grows exponentially. Where the loss falls fastest, training is
quick; where it rises again, the rate is too high.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from math import isfinite, log10

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hounsfield.models.fusion import bound
from hounsfield.plan.device import computing
from hounsfield.training.data import CaseDataset, EpochSampler, Raw, batches
from hounsfield.training.learner import Job, Learner, on
from hounsfield.training.schedule import optimizer

SMOOTH = 0.9  # of the running mean, without its bias towards 0
BURST = 4.0  # times the lowest smoothed loss: beyond it there is nothing to see
FELL = 0.02  # of the first loss: less is chance
REACH = 8  # of the steps, one in so many to either side is a line's reach
FIRST = 5  # steps whose smoothed loss says little


@dataclass(frozen=True)
class Rates:
    """A sweep: the rate and loss of each step, the smoothed losses, and the rate to use.

    `suggested` is None where the loss did not fall; `reason` says why it is what it is.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float | None
    reason: str


def sweep(
    network: nn.Module,
    job: Job,
    train: CaseDataset,
    rates: Sequence[float],
    said: Callable[[int, int], None] = lambda *_: None,
) -> Rates:
    """Train a step at each rate; stops where the loss bursts. The network is spent afterwards."""
    device = computing(job.plan.training)
    plan = job.plan.training
    learner = Learner(network.to(device).train(), job).to(device)
    moves = optimizer(learner.network, plan)
    torch.manual_seed(job.seed)
    losses: list[float] = []
    raws = _forever(train, job)
    for done, rate in enumerate(rates, start=1):
        for group in moves.param_groups:
            group["lr"] = rate
        losses.append(_step(learner, list(islice(raws, plan.accumulate)), moves))
        said(done, len(rates))
        if not isfinite(losses[-1]) or smoothed(losses)[-1] > BURST * min(smoothed(losses)):
            break
    suggested, reason = suggest(rates[: len(losses)], losses)
    curve = tuple(smoothed(losses).tolist())
    return Rates(tuple(rates[: len(losses)]), tuple(losses), curve, suggested, reason)


def suggest(rates: Sequence[float], losses: Sequence[float]) -> tuple[float | None, str]:
    """The rate of the steepest descent before the lowest loss, and why."""
    whole = [loss for loss in losses if isfinite(loss)]
    curve = smoothed(whole)
    lowest = int(curve[FIRST:].argmin()) + FIRST if len(curve) > FIRST else 0
    if lowest <= FIRST or curve[lowest] > (1 - FELL) * curve[FIRST]:
        return None, "the loss did not fall at any rate: more steps, or data that can be learned"
    rate = float(f"{rates[_steepest(rates, whole, lowest)]:.2g}")
    return rate, f"the loss falls fastest there; it is lowest at {rates[lowest]:.2g}"


def _steepest(rates: Sequence[float], losses: Sequence[float], lowest: int) -> int:
    """The middle of the stretch of steps whose line falls most, up to the lowest loss.

    Lines through the losses themselves: the smoothed ones come late.
    """
    reach = max(FIRST, min(len(rates) // REACH, lowest // 2))
    place, value = np.log(np.asarray(rates)), np.asarray(losses)
    slopes = {
        middle: np.polyfit(place[around], value[around], 1)[0]
        for middle in range(reach, max(reach, lowest - reach) + 1)
        for around in [slice(middle - reach, middle + reach + 1)]
    }
    return min(slopes, key=lambda middle: slopes[middle])


def smoothed(losses: Sequence[float]) -> NDArray[np.float64]:
    """A running mean that forgets, started without a bias towards 0 (Kingma and Ba 2015)."""
    found, mean = [], 0.0
    for step, loss in enumerate(losses, start=1):
        mean = SMOOTH * mean + (1 - SMOOTH) * loss
        found.append(mean / (1 - SMOOTH**step))
    return np.array(found)


def spaced(lowest: float, highest: float, steps: int) -> list[float]:
    """Rates from one to another, each the same factor above the last."""
    return [float(one) for one in np.logspace(log10(lowest), log10(highest), steps)]


def _forever(train: CaseDataset, job: Job) -> Iterator[Raw]:
    """Batches as training takes them, epoch after epoch."""
    sampler = EpochSampler(len(train), job.seed)
    for epoch in count():
        sampler.set_epoch(epoch)
        yield from batches(train, job.plan.training.batch, sampler)


def _step(learner: Learner, raws: list[Raw], moves: torch.optim.Optimizer) -> float:
    """One step as training takes it; the mean loss of its batches."""
    job, device = learner.job, learner.device
    plan, total = job.plan.training, 0.0
    moves.zero_grad()
    for raw in raws:
        network = bound(learner.network, on(raw.table, device))
        with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bf16"):
            found = job.task.losses(network, learner.batch(raw), job.weights, job.settings)
        loss = torch.stack(list(found.values())).sum() / len(raws)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    if plan.clip_gradient:
        nn.utils.clip_grad_norm_(learner.network.parameters(), plan.clip_gradient)
    moves.step()
    return total
