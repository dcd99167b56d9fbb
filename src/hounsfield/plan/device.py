"""Where a run computes: its plan's threads and device, on the machine that it is on now."""

from __future__ import annotations

import torch

from hounsfield.errors import UsageError
from hounsfield.plan.schema import TrainingPlan


def computing(plan: TrainingPlan) -> torch.device:
    """Take the plan's threads; its device, or the CPU where this machine does not have it."""
    torch.set_num_threads(plan.threads)
    return torch.device(plan.device if _has(plan.device) else "cpu")


def check_device(device: str) -> None:
    """Refuse to train on a device that this machine does not have.

    Raises:
        UsageError: it has none, and what to do.
    """
    if not _has(device):
        raise UsageError(
            f"training.device is {device}, which this machine does not have",
            remedy="train anew with --training.device cpu, or go on where there is one",
        )


def _has(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_available()
    return device != "mps" or torch.backends.mps.is_available()
