"""What was asked for and does not go together, or deserves a word; known before any pixel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError
from hounsfield.plan.schema import Plan
from hounsfield.tasks.contract import Settings, Task

# kinds of these findings
CAUTIONS = ("unphysical", "anatomy", "one-class-fold", "out-of-fold", "ordered", "partly-known")
MOST_GRADES = 6  # more are digits, or other names
GRADED = {"mild", "moderate", "severe", "slight", "marked", "minimal"}  # words of severity
PLACELESS = {"class", "value"}  # annotations that are true wherever the picture is moved
TURNED = 45.0  # degrees beyond which nobody lies in a scanner
# Modalities whose pictures have the patient's left and right in a known place
SIDED = {"CR", "DX", "CT", "MR", "PT", "NM", "MG", "RF", "XA", "PX"}


def cautions(
    plan: Plan, facts: Fingerprint, task: Task[Any, Any], split: Split, strata: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Findings about what was asked for; `strata` holds each case's.

    Raises:
        UsageError: pictures are to be mixed or moved for a task whose targets or predictions
            cannot follow. InputError: a fold trains on one class alone.
    """
    _refuse(plan, task)
    told = (*_unphysical(plan), *_anatomy(plan, facts), *_folds(split, strata))
    return (*told, *_out_of_fold(plan, split))


def of_labels(catalog: Catalog, task: Task[Any, Any], settings: Settings) -> tuple[Finding, ...]:
    """Findings about what is to be learned: grades taken for classes, labels that are not known."""
    if not set(task.ANNOTATIONS) <= PLACELESS:
        return ()
    match task.kind_of_outputs(settings):
        case "classes":
            return tuple(_graded(getattr(settings, "classes", ())))
        case "labels":
            return tuple(_partly_known(task.truths(catalog, settings)))
        case _:
            return ()


def _graded(classes: Sequence[str]) -> Iterator[Finding]:
    """Three to six whole numbers in a row, or words of severity: grades, by the look of them."""
    if not 3 <= len(classes) <= MOST_GRADES:
        return
    words = [name.lower() for name in classes]
    numbers = sorted(int(one) for one in words if one.isdecimal())
    row = len(numbers) == len(words) and numbers[0] <= 1 and np.all(np.diff(numbers) == 1)
    severe = len({part for one in words for part in re.findall("[a-z]+", one)} & GRADED) >= 2
    if row or severe:
        yield Finding(
            kind="ordered",
            severity="info",
            text=f"the classes look like grades in an order: {', '.join(classes)}; here two grades "
            "off counts as one",
            remedy="--task ordinal would respect their order",
        )


def _partly_known(truths: Sequence[Any]) -> Iterator[Finding]:
    marks = [one for one in truths if np.ndim(one) == 1]
    unknown, every = sum(int((one < 0).sum()) for one in marks), sum(len(one) for one in marks)
    if unknown:
        yield Finding(
            kind="partly-known",
            severity="info",
            text=f"{unknown:,} of {every:,} labels are not known: nothing is learned from these, "
            "and each finding is measured on the cases in which it is known",
        )


def _refuse(plan: Plan, task: Task[Any, Any]) -> None:
    asked = [name for name in ("mixup", "cutmix") if getattr(plan.augmentation, name)]
    if asked and not getattr(task, "MIXES", False):
        raise UsageError(
            f"augmentation.{asked[0]} mixes targets, which {task.NAME} cannot",
            expected="a task whose target can be shared between two cases: classification",
            remedy=f"leave out --augmentation.{asked[0]}",
        )
    if plan.evaluation.views > 1 and not set(task.ANNOTATIONS) <= PLACELESS:
        raise UsageError(
            f"evaluation.views moves the picture, and the answers of {task.NAME} would lie "
            "elsewhere in each view",
            expected="a task whose answer has no place in the picture",
            remedy="leave out --evaluation.views; --evaluation.mirror is for every task",
        )


def _unphysical(plan: Plan) -> Iterator[Finding]:
    told = {
        "mixup": "mixup blends two patients' images: no such body exists",
        "cutmix": "cutmix puts a piece of one patient's image into another's: no such body exists",
    }
    for name, text in told.items():
        if getattr(plan.augmentation, name):
            yield Finding(
                kind="unphysical",
                severity="warning",
                text=text,
                remedy=f"compare with a run without --augmentation.{name}",
            )


def _anatomy(plan: Plan, facts: Fingerprint) -> Iterator[Finding]:
    drawn = plan.augmentation
    sided = sorted(SIDED & set(facts.modalities))
    if drawn.rotate > TURNED and sided:
        yield Finding(
            kind="anatomy",
            severity="warning",
            text=f"training pictures ({', '.join(sided)}) are turned by up to {drawn.rotate:g}°: "
            "further than any patient lies",
            remedy="--augmentation.rotate 15, unless the pictures have no upright",
        )
    if drawn.flip and sided:
        yield Finding(
            kind="anatomy",
            severity="warning",
            text=f"training pictures ({', '.join(sided)}) are mirrored: left and right become one, "
            "and a heart on the right looks like any other",
            remedy="--augmentation.no-flip, unless the sides do not matter",
        )


def _folds(split: Split, strata: Mapping[str, str]) -> Iterator[Finding]:
    """Folds are counted from 0, as their members' folders are."""
    kinds = set(strata.values())
    if split.folds == 1 or len(kinds) < 2:
        return
    for number in range(split.folds):
        learned, held = ({strata[case] for case in part} for part in split.fold(number))
        where = f"fold {number} of {split.folds} (0 to {split.folds - 1})"
        if len(learned) == 1:
            raise InputError(
                f"{where} would train on cases of {learned.pop()!r} alone",
                expected="two classes or more in each fold's training part",
                remedy="fewer --folds, or more patients of the rare classes",
            )
        if len(held) == 1:
            yield Finding(
                kind="one-class-fold",
                severity="warning",
                text=f"{where} is watched on cases of {held.pop()!r} alone: no AUROC can choose "
                "its best epoch, and its last one is kept",
                remedy="fewer --folds, or more patients of the rare classes",
            )


def _out_of_fold(plan: Plan, split: Split) -> Iterator[Finding]:
    if split.folds > 1:
        networks = counted(split.folds * plan.training.seeds, "network")
        yield Finding(
            kind="out-of-fold",
            severity="info",
            text=f"{split.folds}-fold cross-validation: what is called validation is out of fold, "
            "each case predicted only by networks that did not learn from it "
            f"(predictions/val/oof.csv); the test part is predicted by all {networks} together",
        )
