"""All members of a run: folds and seeds, each trained or found trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from hounsfield.errors import RunError, UsageError
from hounsfield.models import load as load_network
from hounsfield.models import weight_sources
from hounsfield.models.assemble import Design, assemble, bodies, heads
from hounsfield.models.fusion import Outputs
from hounsfield.models.memory_format import network_in_format
from hounsfield.models.weights import Matched, load_into
from hounsfield.plan.asked import under
from hounsfield.plan.device import check_device, computing
from hounsfield.plan.resolved import leaves
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.table import TableSpec
from hounsfield.run import Member
from hounsfield.tasks.contract import Settings, Task
from hounsfield.tasks.losses import class_weights, positive_weights
from hounsfield.training.data import CaseDataset
from hounsfield.training.fit import Parts, fit
from hounsfield.training.late import weigh_slices
from hounsfield.training.learner import Job
from hounsfield.training.room import fits, too_large
from hounsfield.training.study import Study
from hounsfield.training.trial import Trial, Way, is_narrow, untrusted

Said = Callable[[Member, int, int, dict[str, float]], None]


def build(
    plan: Plan, task: Task[Any, Any], settings: Settings, table: TableSpec | None
) -> nn.Module:
    """The plan's network for a task, with fresh weights drawn from torch's generator."""
    return assembled(plan, task.outputs(settings), task.kind_of_outputs(settings), table)


def assembled(
    plan: Plan, outputs: int, kind: Outputs = "classes", table: TableSpec | None = None
) -> nn.Module:
    """The plan's network with so many outputs."""
    own = load_network(plan.model.name)
    prepared = plan.preprocessing
    design = Design(
        name=plan.model.name,
        settings=own.Settings.model_validate(under(dict(leaves(plan.model)), "settings.")),
        channels=len(prepared.mean) or (3 if prepared.colour else 1),
        depth=prepared.depth,
        size=prepared.size,
        outputs=outputs,
        fusion=plan.model.fusion,
        kind=kind,
        table=table,
    )
    return network_in_format(assemble(design), plan.training.memory_format)


def trained(member: Member, study: Study) -> nn.Module:
    """A trained member's network, ready to predict.

    Raises:
        RunError: it is not trained, or its weights are damaged.
    """
    if not member.trained:
        raise RunError(
            f"member {member.name} is not trained",
            file=study.run.path,
            remedy="`hounsfield train --resume RUN` goes on",
        )
    network = build(study.plan, study.task, study.settings, study.run.table)
    try:
        network.load_state_dict(load_file(member.weights))
    except Exception as error:
        raise RunError(
            f"the weights do not fit or are damaged ({type(error).__name__})",
            file=member.weights,
            remedy="delete this file and resume the run",
        ) from error
    return network.to(computing(study.plan.training)).eval()


def train_members(study: Study, said: Said) -> list[nn.Module]:
    """Train what is not trained yet; the networks of all members, in their order.

    Raises:
        UsageError: something is left to train, and the plan's device is not there.
    """
    if not all(member.trained for member in study.run.members):
        check_device(study.plan.training.device)
    networks = []
    for member in study.run.members:
        if not member.trained:
            _train_one(study, member, said)
        networks.append(trained(member, study))
    return networks


def _train_one(study: Study, member: Member, said: Said) -> None:
    network, job, parts = begin(study, member)
    told = partial(said, member)
    last = partial(weigh_slices, job=job, val=parts.val, run=study.run, member=member)
    if not fits(lambda: fit(network, job, parts, member, told, last)):
        raise _too_large(study, parts.train)


def begin(study: Study, member: Member) -> tuple[nn.Module, Job, Parts]:
    """A member's network as it is before its first step, and what it is trained with and on."""
    plan = study.plan
    train, val = study.run.split.fold(member.fold)
    seed = plan.training.seed + 1000 * member.fold + member.seed
    torch.manual_seed(seed)
    network = build(plan, study.task, study.settings, study.run.table)
    last = plan.training.memory_format == "channels-last"
    if last and plan.training.device == "cpu" and is_narrow(network):
        raise untrusted()
    if not member.checkpoint.exists():
        matched = take_pretrained(network, plan)
        if matched is not None:
            study.run.update(pretrained=str(matched), layers=matched.listed())
    strata = study.strata(train)
    learns = heads(load_network(plan.model.name), network) if plan.training.freeze == "body" else ()
    if learns:
        network.requires_grad_(False)
        for part in learns:
            part.requires_grad_(True)
    weights = _class_weights(train, study)
    job = Job(study.task, study.settings, plan, seed, weights, tuple(learns))
    parts = Parts(
        study.dataset(train, targets=True),
        study.dataset(val, targets=True),
        study.truths(val),
        _sampling(strata) if plan.training.balance == "sampling" else None,
    )
    return network, job, parts


def _too_large(study: Study, dataset: CaseDataset) -> UsageError:
    """The refusal of the plan's batch; the one that fits is found by trying."""
    plan, task, settings = study.plan, study.task, study.settings
    way = Way(plan.training.precision, plan.training.memory_format)
    trial = Trial.of(
        lambda: build(plan, task, settings, study.run.table), dataset, plan, task, settings
    )
    fitting, device = trial.largest(way, plan.training), computing(plan.training)
    return too_large(plan.training.batch, fitting, device.type, plan.training.accumulate)


def take_pretrained(network: nn.Module, plan: Plan) -> Matched | None:
    """The plan's weights into all bodies; which layers took them, or None without weights."""
    if not plan.model.weights:
        return None
    given = weight_sources.weights_of(plan.model.weights, plan.model.name)
    for body in bodies(network):  # alike, so that the last one's layers are all's
        matched = load_into(body, given.state, given.origin)
    return matched


def _class_weights(cases: Sequence[str], study: Study) -> Tensor | None:
    """One an output of the task, where its strata are its outputs."""
    names = study.task.output_names(study.settings)
    plan = study.plan.training
    if not names or plan.balance not in ("weights", "effective"):
        return None
    if study.task.kind_of_outputs(study.settings) == "labels":
        marks = np.stack(study.truths(cases))
        values = positive_weights(marks, plan.balance, plan.beta)
    else:
        counts = Counter(study.strata(cases))
        values = class_weights([counts[name] for name in names], plan.balance, plan.beta)
    return torch.tensor(values, dtype=torch.float32, device=plan.device)


def _sampling(strata: Sequence[str]) -> np.ndarray:
    """Each stratum is drawn equally often."""
    counts = Counter(strata)
    return np.array([1 / counts[one] for one in strata])
