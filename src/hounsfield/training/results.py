"""A trained run's predictions: its own parts, with the calibration, and new data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from hounsfield.inference.predict import predict_cases
from hounsfield.inference.table import Predicted, write_predictions
from hounsfield.inference.unlike import Ranges
from hounsfield.run import save_model
from hounsfield.tasks.contract import Calibration, Wanted
from hounsfield.training.study import Progress, Study
from hounsfield.training.train import trained


def predict_parts(study: Study, networks: Sequence[nn.Module], tell: Progress) -> None:
    """Validation predictions, the calibration that they give, and the test predictions.

    With folds, each case outside the test part is predicted by the members that did not see it.
    """
    val, found = _out_of_fold(study, networks, tell)
    truths = study.truths(val)
    calibration = Calibration()
    if val:
        plan = study.plan.evaluation
        wanted = Wanted(plan.threshold, plan.calibrate)
        calibration = study.task.calibrate(found, truths, study.settings, wanted)
        save_model(study.run.calibration_file, calibration)
        _write(study, "val", Predicted(val, ["val"] * len(val), found, truths))
    save_model(study.run.calibration_file, calibration)
    test = study.run.split.cases("test")
    if test:
        predictions = _predict(study, networks, test, tell)
        parts = ["test"] * len(test)
        _write(study, "test", Predicted(test, parts, predictions, study.truths(test)))


def predict_new(study: Study, out: Path, tell: Progress) -> Path:
    """All cases of the study's catalog, by all members; those unlike the training are marked."""
    networks = [trained(member, study) for member in study.run.members]
    cases = study.catalog.cases["case"].to_list()
    predictions = _predict(study, networks, cases, tell)
    ranges = Ranges.model_validate_json(study.run.ranges_file.read_bytes())
    unlike = ranges.check(study.catalog, study.cache, cases)
    done = Predicted(cases, ["new"] * len(cases), predictions, study.truths(cases), unlike)
    return write_predictions(
        out, done, study.catalog, study.task, study.settings, study.run.calibration
    )


def _out_of_fold(
    study: Study, networks: Sequence[nn.Module], tell: Progress
) -> tuple[list[str], list[Any]]:
    cases: list[str] = []
    found: list[Any] = []
    for fold in range(study.plan.training.folds):
        _, val = study.run.split.fold(fold)
        members = zip(study.run.members, networks, strict=True)
        mine = [network for member, network in members if member.fold == fold]
        if val:
            found += _predict(study, mine, val, tell)
            cases += val
    return cases, found


def _predict(
    study: Study, networks: Sequence[nn.Module], cases: Sequence[str], tell: Progress
) -> list[Any]:
    return predict_cases(
        study.task,
        study.settings,
        study.plan,
        networks,
        (study.cache, cases),
        lambda done, of: tell("predicting", done, of),
    )


def _write(study: Study, name: str, done: Predicted) -> None:
    folder = study.run.predictions(name)
    calibration = study.run.calibration
    write_predictions(folder, done, study.catalog, study.task, study.settings, calibration)
