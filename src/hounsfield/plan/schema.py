"""The typed plan: every number of a run. Light: `--help` imports it."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from hounsfield.preprocessing.settings import Augmentation, Preprocessing

Settings = dict[str, int | float | bool | str | tuple[str, ...] | tuple[int, ...]]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskPlan(Section):
    """What is learned."""

    name: str = Field("classification", description="classification, segmentation, detection …")
    target: str = Field("", description="the annotation's name, e.g. pneumonia; empty: the first")
    settings: Settings = Field(
        default_factory=dict,
        description="the task's own, e.g. --task.settings.smoothing 0.1; `plan` shows them",
    )


class DataPlan(Section):
    """Which cases go where."""

    train: float = Field(0.7, gt=0, le=1, description="share of the patients")
    val: float = Field(0.15, ge=0, lt=1, description="share of the patients")
    test: float = Field(0.15, gt=0, lt=1, description="share of the patients; a run must have some")
    official: bool = Field(True, description="keep the data set's own parts where it has them")
    group: str = Field("patient", description="a column of the cases that no split may cut")
    seed: int = Field(0, description="of the split")
    min_per_class: int = Field(50, ge=0, description="a smaller validation part is refilled")
    label_map: Path | None = Field(None, description="YAML or CSV: a source's label to ours")


class AuditPlan(Section):
    """What follows from what the audit finds."""

    on_leak: Literal["drop", "stop", "allow"] = Field(
        "drop", description="drop: what equals an evaluation image leaves the training part"
    )
    near: Literal["auto", "on", "off"] = Field("auto", description="look for near duplicates")


class ModelPlan(Section):
    """The network."""

    name: str = Field("cnn", description="cnn, simple-nn, a timm name, or package.module:build")
    weights: str = Field(
        "",
        description="pretrained weights: FILE, cache (what lies on this machine) or hub; "
        "empty: from scratch",
    )
    fusion: Literal["channels", "late", "late-each", "attention", "volume"] = Field(
        "channels",
        description="how slices enter: as channels; one network for all, or one each, whose "
        "predictions are summed; features pooled by attention; or a 3-D network",
    )
    table: tuple[str, ...] = Field(
        (), description="columns of the cases that join the image's features, e.g. age,sex"
    )
    settings: Settings = Field(
        default_factory=dict,
        description="the network's own, e.g. --model.settings.widths 16,32; `plan` shows them",
    )


class TrainingPlan(Section):
    """How the network is trained."""

    epochs: int = Field(30, ge=1, description="passes over the training part, at most")
    batch: int = Field(32, ge=1, description="images a step")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are summed for a step")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="how weights move")
    learning_rate: float = Field(1e-3, gt=0, description="the highest")
    weight_decay: float = Field(0.05, ge=0, description="pull of the weights towards 0")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd, with Nesterov's step")
    schedule: Literal["cosine", "step", "plateau", "constant"] = Field(
        "cosine", description="how the learning rate falls"
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps that warm up")
    patience: int = Field(0, ge=0, description="epochs without gain before stopping; 0: never")
    balance: Literal["weights", "effective", "sampling", "none"] = Field(
        "weights",
        description="rare classes: weighed in the loss by inverse frequency or inverse effective "
        "number, drawn more often, or left",
    )
    beta: float = Field(
        0.999, ge=0, lt=1, description="balance=effective: 0 weighs none, near 1 as weights do"
    )
    freeze: Literal["none", "body"] = Field("none", description="body: only the head learns")
    ema: float = Field(0.998, ge=0, lt=1, description="decay of the averaged weights; 0: none")
    clip_gradient: float = Field(1.0, ge=0, description="largest gradient norm; 0: no limit")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of the network's arithmetic")
    memory_format: Literal["channels-last", "contiguous"] = Field(
        "channels-last", description="order of a picture in memory: only the speed differs"
    )
    compile: bool = Field(False, description="by torch.compile: only the speed differs")
    device: Literal["cpu", "cuda", "mps"] = Field("cpu", description="what computes")
    threads: int = Field(1, ge=1, description="of the arithmetic; unasked, one a core")
    workers: int = Field(1, ge=1, description="threads that prepare images; unasked, one a core")
    folds: int = Field(1, ge=1, description="k-fold cross-validation with k > 1")
    seeds: int = Field(1, ge=1, description="networks a fold, ensembled")
    seed: int = Field(0, ge=0, description="of weights, order and augmentation")
    budget: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="minutes a network may take, by the trial before training",
    )
    save_every: int = Field(1, ge=1, description="epochs between checkpoints")


class EvaluationPlan(Section):
    """How the result is measured."""

    threshold: str = Field("youden", description="youden, or sensitivity:0.95, or 0.5")
    calibrate: bool = Field(True, description="fit the temperature on the validation part")
    mirror: bool = Field(False, description="average with the prediction of the mirrored image")
    added_value: bool = Field(
        True,
        description="with --model.table: train the image alone too, and tell what each adds",
    )
    views: int = Field(
        1, ge=1, le=64, description="average over so many views, all but one slightly moved"
    )
    resamples: int = Field(2000, ge=100, description="of the bootstrap")
    seed: int = Field(0, ge=0, description="of the bootstrap")

    @field_validator("threshold")
    @classmethod
    def _known(cls, rule: str) -> str:
        name, _, number = rule.partition(":")
        if rule == "youden" or name == "sensitivity" or not number:
            with contextlib.suppress(ValueError):
                if rule == "youden" or 0 < float(number or name) <= 1:
                    return rule
        raise ValueError("youden, sensitivity:0.95, or a number like 0.5")


class Plan(Section):
    """Every number of a run."""

    task: TaskPlan = TaskPlan()
    data: DataPlan = DataPlan()
    audit: AuditPlan = AuditPlan()
    preprocessing: Preprocessing = Preprocessing()
    augmentation: Augmentation = Augmentation()
    model: ModelPlan = ModelPlan()
    training: TrainingPlan = TrainingPlan()
    evaluation: EvaluationPlan = EvaluationPlan()


@cache
def asked_model() -> type[BaseModel]:
    """The plan with every field optional: what a user's plan.yaml may say."""
    sections: dict[str, Any] = {
        name: (_optional(info.annotation), None) for name, info in Plan.model_fields.items()
    }
    return create_model("Asked", __base__=Section, **sections)


def _optional(section: Any) -> Any:
    fields: dict[str, Any] = {
        name: (info.annotation | None, None) for name, info in section.model_fields.items()
    }
    return create_model(section.__name__, __base__=Section, **fields) | None
