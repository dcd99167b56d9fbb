"""A trained run's predictions: its own parts, with the calibration, and new data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
from torch import nn

from hounsfield.files import whole_file
from hounsfield.inference.predict import each_prediction
from hounsfield.inference.table import Predicted, read_predictions, write_predictions
from hounsfield.inference.unlike import Ranges
from hounsfield.run import save_model
from hounsfield.tasks.contract import Calibration, Wanted
from hounsfield.training.study import Progress, Study
from hounsfield.training.train import trained


def predict_parts(study: Study, networks: Sequence[nn.Module], tell: Progress) -> None:
    """Validation predictions, the calibration that they give, and the test predictions.

    With folds, each case outside the test part is predicted by the members that did not see it.
    """
    _predict_val(study, networks, tell)
    test = study.run.split.cases("test")
    if test:
        found, parts = _each(study, networks, test, tell), ["test"] * len(test)
        _write(study, "test", Predicted(test, parts, found, study.truths(test)))


def predict_new(study: Study, out: Path, tell: Progress) -> Path:
    """All cases of the study's catalog, by all members; those unlike the training are marked."""
    networks = [trained(member, study) for member in study.run.members]
    cases = study.catalog.cases["case"].to_list()
    ranges = Ranges.model_validate_json(study.run.ranges_file.read_bytes())
    found_unlike = ranges.check(study.catalog, study.cache, cases), study.unlike_table(cases)
    unlike = ["; ".join(filter(None, both)) for both in zip(*found_unlike, strict=True)]
    found = _each(study, networks, cases, tell)
    done = Predicted(cases, ["new"] * len(cases), found, study.truths(cases), unlike)
    return write_predictions(
        out, done, study.catalog, study.task, study.settings, study.run.calibration
    )


def _predict_val(study: Study, networks: Sequence[nn.Module], tell: Progress) -> None:
    held = [study.run.split.fold(fold)[1] for fold in range(study.plan.training.folds)]
    val = [case for cases in held for case in cases]
    if not val:
        save_model(study.run.calibration_file, Calibration())
        return
    found, looked_at = _out_of_fold(study, networks, held, tell), list[Any]()
    truths, plan = study.truths(val), study.plan.evaluation
    wanted = Wanted(plan.threshold, plan.calibrate)
    calibration = study.task.calibrate(_noted(found, looked_at), truths, study.settings, wanted)
    save_model(study.run.calibration_file, calibration)
    every = chain(looked_at, found)  # what calibrating did not look at is yet to be made
    _write(study, "val", Predicted(val, ["val"] * len(val), every, truths))
    if study.plan.training.folds > 1:
        _write_out_of_fold(study.run.predictions("val"), held)


def _write_out_of_fold(folder: Path, held: Sequence[Sequence[str]]) -> None:
    """oof.csv: the same table with the fold whose networks had not seen the case."""
    number = pl.Series("fold", [fold for fold, cases in enumerate(held) for _ in cases], pl.Int64)
    table = read_predictions(folder).drop("split").with_columns(number)
    with whole_file(folder / "oof.csv") as file:
        table.write_csv(file)


def _out_of_fold(
    study: Study, networks: Sequence[nn.Module], held: Sequence[Sequence[str]], tell: Progress
) -> Iterator[Any]:
    for fold, cases in enumerate(held):
        members = zip(study.run.members, networks, strict=True)
        mine = [network for member, network in members if member.fold == fold]
        if cases:
            yield from _each(study, mine, cases, tell)


def _noted(items: Iterator[Any], into: list[Any]) -> Iterator[Any]:
    for one in items:
        into.append(one)
        yield one


def _each(
    study: Study, networks: Sequence[nn.Module], cases: Sequence[str], tell: Progress
) -> Iterator[Any]:
    return each_prediction(
        study.task,
        study.settings,
        study.plan,
        networks,
        study.dataset(cases),
        lambda done, of: tell("predicting", done, of),
    )


def _write(study: Study, name: str, done: Predicted) -> None:
    folder = study.run.predictions(name)
    calibration = study.run.calibration
    write_predictions(folder, done, study.catalog, study.task, study.settings, calibration)
