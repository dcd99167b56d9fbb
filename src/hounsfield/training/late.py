"""Late fusion, once its networks are trained: the weights of the slices from validation data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hounsfield.models.fusion import LateFusion
from hounsfield.models.late_weights import fit_weights
from hounsfield.preprocessing.normalise import normalise
from hounsfield.run import Member, Run
from hounsfield.training.data import CaseDataset, batches
from hounsfield.training.learner import Job, as_taken


def weigh_slices(network: nn.Module, job: Job, val: CaseDataset, run: Run, member: Member) -> None:
    """Give a late fusion the weights that suit the validation part; note them in the run's state.

    Without validation cases they stay even, and that is noted. Other networks stay as they are.
    """
    if not isinstance(network, LateFusion):
        return
    why = "even: there are no validation cases to fit them on"
    if len(val):
        kind = job.task.kind_of_outputs(job.settings)
        fitted = fit_weights(*_slices(network, job, val), kind)
        network.weights.copy_(torch.from_numpy(fitted.values))
        measure = "mean squared error" if kind == "values" else "negative log-likelihood"
        why = f"fitted on {fitted.cases} validation cases: {measure} "
        why += f"{fitted.before:.4g} with even weights, {fitted.after:.4g} with these"
    told = {"weights": [round(float(one), 6) for one in network.weights], "reason": why}
    run.update(slice_weights=run.state.get("slice_weights", {}) | {member.name: told})


def _slices(
    network: LateFusion, job: Job, val: CaseDataset
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """What each slice says of each case (N, D, K), and the truth."""
    device = network.weights.device
    outputs, truths = [], []
    network.eval()
    with torch.inference_mode():
        for raw in batches(val, job.plan.training.batch):
            assert raw.targets is not None
            images = normalise(raw.images.to(device), job.plan.preprocessing)
            outputs.append(network.slices(as_taken(images, job.plan)).cpu().numpy())
            truths.append(np.asarray(raw.targets.plain()))
    return np.concatenate(outputs), np.concatenate(truths)
