"""The optimiser and how its learning rate goes."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, isnan, pi

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from hounsfield.plan.schema import TrainingPlan

STEP_AT, STEP_BY = (0.5, 0.75), 0.1  # He et al. 2016: tenfold smaller at half and three quarters
PLATEAU_PATIENCE = 5


def optimizer(network: nn.Module, plan: TrainingPlan) -> Optimizer:
    """Weights decay; biases and normalisations do not."""
    learning = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if plan.optimizer == "sgd":
        return SGD(groups, plan.learning_rate, momentum=plan.momentum, nesterov=plan.momentum > 0)
    return (AdamW if plan.optimizer == "adamw" else Adam)(groups, plan.learning_rate)


def factor(plan: TrainingPlan, step: int, steps: int, drops: int = 0) -> float:
    """The share of the highest learning rate at a step of so many.

    `drops` counts how often a plateau has lowered it.
    """
    warm = max(1, round(plan.warmup * steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    match plan.schedule:
        case "cosine":
            return 0.5 * (1 + cos(pi * done))
        case "step":
            return STEP_BY ** sum(done >= at for at in STEP_AT)
        case "plateau":
            return 0.5**drops
        case "constant":
            return 1.0


def best_epoch(watched: Sequence[float], slack: float = 0.0) -> int:
    """The first index of the highest value, or with `slack` the last that is as good but for it.

    The last one's where nothing could be watched.
    """
    known = [i for i, value in enumerate(watched) if not isnan(value)]
    if not known:
        return len(watched) - 1
    highest = max(watched[i] for i in known)
    good = [i for i in known if watched[i] >= highest - slack]
    return good[-1] if slack else good[0]
