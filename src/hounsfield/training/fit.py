"""One member, from its first step or its last whole epoch to its weights."""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from hounsfield.files import storage_error, whole_file, write_text
from hounsfield.inference.predict import each_prediction
from hounsfield.inference.table import rows_of
from hounsfield.plan.device import computing
from hounsfield.plan.schema import TrainingPlan
from hounsfield.run import Member
from hounsfield.tasks.contract import Calibration
from hounsfield.training.checkpoint import WholeCheckpoints, write_tensors
from hounsfield.training.data import CaseDataset, EpochSampler, batches
from hounsfield.training.learner import Job, Learner
from hounsfield.training.schedule import best_epoch

# Of epochs that the monitor tells apart by chance only, the latest: the others learned less.
AS_GOOD = 0.001
Epochs = Callable[[int, int, dict[str, float]], None]  # done, of, what the log says
Last = Callable[[nn.Module], None]  # what is yet fitted when the network is trained


@dataclass(frozen=True, eq=False)
class Parts:
    """What a member trains on and is watched on."""

    train: CaseDataset
    val: CaseDataset
    val_truths: Sequence[Any]
    sampling: np.ndarray | None = None  # how often each training case is drawn


def fit(
    network: nn.Module,
    job: Job,
    parts: Parts,
    member: Member,
    said: Epochs,
    last: Last = lambda _: None,
) -> nn.Module:
    """Train a member, resuming where it has a checkpoint; its weights lie in `member.weights`."""
    member.path.mkdir(parents=True, exist_ok=True)
    computing(job.plan.training)
    learner = Learner(network, job)
    sampler = EpochSampler(len(parts.train), job.seed, parts.sampling)
    loader = batches(parts.train, job.plan.training.batch, sampler)
    with _quiet(), _as_itself(member), _compiled(network, job.plan.training):
        trainer = _trainer(job.plan.training, member, [EpochEnd(parts, member, said)])
        resume = str(member.checkpoint) if member.checkpoint.exists() else None
        trainer.fit(learner, loader, ckpt_path=resume, weights_only=True)
    best = learner.predictor if not job.plan.training.patience else _best(learner, member)
    last(best)
    save_weights(best, member)
    return best


def save_weights(network: nn.Module, member: Member) -> None:
    """The network's tensors as safetensors, whole or not at all."""
    from safetensors.torch import save

    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with whole_file(member.weights) as file:
        file.write(save(state))


def _trainer(plan: TrainingPlan, member: Member, callbacks: list[Any]) -> Trainer:
    return Trainer(
        accelerator={"cuda": "gpu"}.get(plan.device, plan.device),
        devices=1,
        max_epochs=plan.epochs,
        precision="bf16-mixed" if plan.precision == "bf16" else "32-true",
        accumulate_grad_batches=plan.accumulate,
        gradient_clip_val=plan.clip_gradient or None,
        callbacks=callbacks,
        logger=[
            CSVLogger(member.path, name="", version="logs"),
            TensorBoardLogger(member.path, name="", version="tensorboard"),
        ],
        plugins=[WholeCheckpoints()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=1_000_000,  # the log has one line an epoch
    )


class EpochEnd(Checkpoint):
    """After an epoch: watch the validation part, log, save, and stop where it is time.

    Lightning runs callbacks of this kind last, when the epoch is counted as done.
    """

    def __init__(self, parts: Parts, member: Member, said: Epochs) -> None:
        self.parts, self.member, self.said = parts, member, said

    def on_fit_start(self, trainer: Trainer, learner: LightningModule) -> None:
        assert isinstance(learner, Learner)
        for line in learner.history:  # Lightning's CSV logger begins its file anew
            _log(trainer.loggers[0], line)

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        assert isinstance(learner, Learner)
        # A run that was killed after its last epoch is not trained on.
        trainer.should_stop = _enough(learner)

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        assert isinstance(learner, Learner)
        plan, epochs = learner.job.plan.training, trainer.current_epoch + 1
        learner.check_weights()
        line = {"epoch": epochs, **learner.losses(), **self._monitor(learner)}
        line["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        learner.history.append(line)
        learner.watch(_watched(learner))
        for logger in trainer.loggers:
            _log(logger, line)
        if plan.patience and best_epoch(_watched(learner), AS_GOOD) == epochs - 1:
            write_tensors(learner.predictor.state_dict(), self.member.path / "best.pt")
        trainer.should_stop |= _enough(learner)
        lines = "".join(json.dumps(old) + "\n" for old in learner.history)
        write_text(self.member.log, lines)
        if epochs % plan.save_every == 0 or trainer.should_stop or epochs == plan.epochs:
            trainer.save_checkpoint(self.member.checkpoint)
        self.said(epochs, plan.epochs, line)

    def _monitor(self, learner: Learner) -> dict[str, Any]:
        """The task's headline metric on the validation part."""
        if not len(self.parts.val):
            return {"monitor": float("nan"), "metric": "none"}
        job, truths = learner.job, self.parts.val_truths
        task, settings = job.task, job.settings
        val = self.parts.val
        predictions = each_prediction(task, settings, job.plan, [learner.predictor], val)
        table = rows_of(predictions, truths, task, settings, Calibration())
        import polars as pl

        cases = task.cases(
            table.with_columns(pl.Series("patient", val.cases, dtype=pl.String)),
            truths,
            settings,
        )
        metric = task.metrics(settings)[0]
        value = metric.point(cases)
        return {"monitor": value if metric.higher_is_better else -value, "metric": metric.name}


def _watched(learner: Learner) -> list[float]:
    return [float(line["monitor"]) for line in learner.history]


def _enough(learner: Learner) -> bool:
    """Whether the monitor has not grown for as long as the plan is patient."""
    patience, watched = learner.job.plan.training.patience, _watched(learner)
    best = best_epoch(watched, AS_GOOD)
    return bool(patience and watched and len(watched) - 1 - best >= patience)


def _log(logger: Any, line: dict[str, Any]) -> None:
    logger.log_metrics({k: v for k, v in line.items() if k != "metric"}, line["epoch"])
    logger.save()


def _best(learner: Learner, member: Member) -> nn.Module:
    """The weights of the epoch that the monitor liked best, where training may stop early."""
    state = WholeCheckpoints().load_checkpoint(member.path / "best.pt")
    learner.predictor.load_state_dict(state)
    return learner.predictor


@contextmanager
def _compiled(network: nn.Module, plan: TrainingPlan) -> Iterator[None]:
    """The network compiled, where the plan says so; its average, a copy, is not."""
    if not plan.compile:
        yield
        return
    import torch._dynamo

    network.compile(dynamic=False)
    # A machine without a compiler goes on with a run of another that has one.
    with torch._dynamo.config.patch(suppress_errors=True):
        yield


@contextmanager
def _as_itself(member: Member) -> Iterator[None]:
    """Ctrl-C stays Ctrl-C, which Lightning makes an exit(1); a full disk is told as such."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stopped:
        if not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)  # Lightning has switched it off
        raise KeyboardInterrupt from None
    except OSError as error:  # of the loggers, whose files are not ours
        raise storage_error(error, member.path) from error


class _quiet(warnings.catch_warnings):  # noqa: N801  (a context manager, used as a function)
    """Lightning's advice is for people who call it themselves."""

    def __enter__(self) -> Any:
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        entered = super().__enter__()
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", module="torch.*")
        return entered
