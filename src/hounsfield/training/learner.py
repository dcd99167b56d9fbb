"""One member's training step, written against the contracts of tasks and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from hounsfield.errors import InputError
from hounsfield.models.fusion import bound, entering
from hounsfield.models.memory_format import images_in_format
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.augment import apply, draw
from hounsfield.preprocessing.mixing import Mixable, draw_mix
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Batch, Settings, Targets, Task
from hounsfield.training.data import Raw
from hounsfield.training.ema import Average
from hounsfield.training.schedule import PLATEAU_PATIENCE, best_epoch, factor, optimizer

MOST_NAMED = 8  # cases of a batch that burst


@dataclass(frozen=True, eq=False)
class Job:
    """What is trained and how: all of it fixed before the first step."""

    task: Task[Any, Any]
    settings: Settings
    plan: Plan
    seed: int  # of this member
    weights: Tensor | None = None  # of the strata, in the loss
    learns: tuple[nn.Module, ...] = ()  # the only parts that learn, where the body is frozen


class Learner(LightningModule):
    """The network, its average, and the steps between."""

    def __init__(self, network: nn.Module, job: Job) -> None:
        super().__init__()
        self.network, self.job = network, job
        self.average = Average(network, job.plan.training.ema) if job.plan.training.ema else None
        self.history: list[dict[str, Any]] = []
        self.drops = 0
        self._sums: dict[str, float] = {}
        self._count = 0

    @property
    def predictor(self) -> nn.Module:
        """The network that predicts: the average where there is one."""
        return self.average.network if self.average else self.network

    # Lightning calls these

    def configure_optimizers(self) -> Optimizer:
        return optimizer(self.network, self.job.plan.training)

    def transfer_batch_to_device(
        self, batch: Raw, device: torch.device, dataloader_idx: int
    ) -> Raw:
        return batch  # `batch` moves it, when images and targets are known

    def training_step(self, raw: Raw, index: int) -> Tensor:
        if not index:
            self._begin_epoch()
        self._set_rate()
        task, settings = self.job.task, self.job.settings
        network = bound(self.network, on(raw.table, self.device))
        losses = task.losses(network, self.batch(raw), self.job.weights, settings)
        total = torch.stack(list(losses.values())).sum()
        if not bool(torch.isfinite(total)):
            raise self._burst(f"the loss is {float(total.detach())}", index, raw)
        self._add({name: float(value.detach()) for name, value in losses.items()})
        return total

    def batch(self, raw: Raw) -> Batch:
        """Normalised, moved and varied by keys that only the seed, epoch and row decide."""
        assert raw.targets is not None
        plan = self.job.plan
        images = normalise(raw.images.to(self.device), plan.preprocessing)
        stack = images.flatten(1, -3)  # (B, C·D, Y, X): the slices of a volume move together
        seed, epoch, size = self.job.seed, self.current_epoch, (images.shape[-2], images.shape[-1])
        drawn = draw(plan.augmentation, [(seed, epoch, row) for row in raw.rows], size)
        varied = apply(stack, drawn)
        targets = raw.targets.to(self.device).moved(drawn.warp.to(self.device))
        mix = draw_mix(plan.augmentation, seed, epoch, raw.rows, size)
        if mix is not None:
            varied, mixable = mix.images(varied), cast("Mixable", targets)
            targets = cast("Targets", mixable.mixed(mix.to(self.device)))
        whole = varied.reshape(*images.shape[:-2], *drawn.warp.size)
        return Batch(as_taken(whole, plan), targets)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.average and self.global_step > self.average.steps:  # not between accumulations
            self.average.update(self.network)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["hounsfield"] = {"history": self.history, "drops": self.drops}
        if self.average:
            checkpoint["hounsfield"] |= {
                "average": self.average.network.state_dict(),
                "average_steps": self.average.steps,
            }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        own = checkpoint["hounsfield"]
        self.history, self.drops = own["history"], own["drops"]
        if self.average:
            self.average.network.load_state_dict(own["average"])
            self.average.steps = own["average_steps"]

    # Ours

    def losses(self) -> dict[str, float]:
        """The epoch's mean of each loss."""
        return {name: total / max(1, self._count) for name, total in self._sums.items()}

    def check_weights(self) -> None:
        """Refuse weights that are no numbers: they must not be saved as a whole epoch's.

        Raises:
            InputError: a step of the epoch, its last perhaps, burst.
        """
        values = [*self.network.parameters(), *self.network.buffers()]
        if not all(bool(torch.isfinite(v).all()) for v in values if v.is_floating_point()):
            raise self._burst("a weight is no number", None, None)

    def _burst(self, problem: str, index: int | None, raw: Raw | None) -> InputError:
        epoch, rate = self.current_epoch, self.job.plan.training.learning_rate
        where = f"in epoch {epoch + 1}" + ("" if index is None else f", batch {index + 1}")
        cases = raw.cases if raw else ()
        named = f" ({', '.join(cases[:MOST_NAMED])}{', …' if len(cases) > MOST_NAMED else ''})"
        kept = f"epoch {epoch} is kept as the checkpoint" if epoch else "no epoch is whole yet"
        look = ", or look for odd images in the batch" if raw else ""
        return InputError(
            f"{problem} {where}{named if cases else ''}",
            expected=f"losses that are numbers; {kept}",
            remedy=f"train anew with --training.learning-rate {rate / 10:.2g}{look}: a run goes "
            "on with its own plan, so --resume would end here again",
        )

    def watch(self, values: Sequence[float]) -> None:
        """Lower the rate where the monitor has not grown for a while (schedule: plateau)."""
        if self.job.plan.training.schedule != "plateau":
            return
        stale = len(values) - 1 - best_epoch(values)
        if stale and stale % PLATEAU_PATIENCE == 0:
            self.drops += 1

    def _begin_epoch(self) -> None:
        """At the first batch: Lightning calls no hook of an epoch's start in a resumed one."""
        # Dropout draws from torch's generator: an epoch replayed after a stop draws the same.
        torch.manual_seed(_mix(self.job.seed, self.current_epoch))
        self._sums, self._count = {}, 0
        if self.average:
            self.average.network.to(self.device)
        if self.job.learns:
            self.network.eval()  # a frozen body keeps its statistics
            for part in self.job.learns:
                part.train()

    def _set_rate(self) -> None:
        steps = int(self.trainer.estimated_stepping_batches)
        training = self.job.plan.training
        share = factor(training, self.global_step, steps, self.drops)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = training.learning_rate * share

    def _add(self, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1


def as_taken(images: Tensor, plan: Plan) -> Tensor:
    """Prepared images (B, C, Y, X) or (B, C, D, Y, X) as the plan's network takes them."""
    return images_in_format(entering(images, plan.model.fusion), plan.training.memory_format)


def on(table: Tensor | None, device: torch.device) -> Tensor | None:
    return None if table is None else table.to(device)


def _mix(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch * 7919 + 17) % 2**63
