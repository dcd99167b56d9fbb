"""After a run with a table: the image alone and the table alone, on the same split."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hounsfield.progress import Watch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.evaluation.evaluate import Tested
    from hounsfield.evaluation.table_alone import Rows
    from hounsfield.metrics.contract import Cases
    from hounsfield.plan.resolved import Resolved
    from hounsfield.run import Run
    from hounsfield.training.study import Study


@dataclass(frozen=True)
class _Within:
    """A watch of a run inside another, whose stages and sentences are not the user's."""

    watch: Watch

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        yield

    def tell(self, what: str, done: int, of: int | None) -> None:
        self.watch.tell(f"image alone, {what}", done, of)

    def say(self, sentence: str) -> None:
        """It speaks of its own report, which is not the one to read."""


def announce(run: Run, watch: Watch) -> None:
    """Say what the comparison costs, before anything is trained."""
    if run.adds and not run.part("image").exists():
        watch.say(
            "the image is also trained without the table, to tell what each adds: this takes "
            "twice the time (--evaluation.no-added-value leaves it out)"
        )


def measure(study: Study, watch: Watch) -> None:
    """Compare image and table with each alone, where the plan asks for it; stopped, it goes on.

    The image alone is a whole run in RUN/parts/image: the same split, plan and seeds.
    """
    if not study.run.adds:
        return
    from hounsfield.evaluation.added_value import Arms, added_value
    from hounsfield.evaluation.bootstrap import Resampling
    from hounsfield.run import save_model
    from hounsfield.workflow.training import resume

    run, plan = study.run, study.plan
    with watch.stage("image alone"):
        alone = resume(_without_table(run).path, watch=_Within(watch))
    with watch.stage("table alone"):
        model, table = _table_alone(study)
        weighed = _weighed(study, alone)
    both, image = _tested(study, run).cases, _tested(study, alone).cases
    arms = Arms(both=both, image=image, table=table, weighed=weighed)
    found = added_value(
        study.task.metrics(study.settings)[0],
        arms,
        Resampling(plan.evaluation.resamples, plan.evaluation.seed),
        columns=plan.model.table,
        model=model,
        networks=len(run.members),
    )
    save_model(run.added_value_file, found)


def _without_table(run: Run) -> Run:
    """The same run without its table, ready to be trained, or as far as it came."""
    from hounsfield.run import Run

    path, wanted = run.part("image"), _plan_without(run)
    if (path / "run.json").exists():
        there = Run(path)
        if there.status != "planned" and _same(there, run, wanted):
            return there
    shutil.rmtree(path, ignore_errors=True)
    made = Run.create(path)
    made.save_data(run.catalog, run.split, run.fingerprint)
    made.save_findings(tuple(one for one in run.findings if not one.kind.startswith("table-")))
    shutil.copy(run.ranges_file, made.ranges_file)
    shutil.copytree(run.sheets, made.sheets)
    made.save_plan({}, wanted)
    made.update(status="training", versions=run.versions)
    return made


def _plan_without(run: Run) -> Resolved:
    from hounsfield.catalog.fingerprint import Choice
    from hounsfield.plan.choose import resolve

    why = "the image alone, to tell what the table adds"
    changed = [Choice("model.table", (), why), Choice("evaluation.added_value", False, why)]
    return resolve([*run.resolved.choices.values(), *changed], {})


def _same(there: Run, run: Run, wanted: Resolved) -> bool:
    """Is the run that lies there the one that is wanted?"""
    from hounsfield.errors import RunError

    try:
        alike = there.resolved.plan == wanted.plan
        return alike and there.split.table.equals(run.split.table)
    except RunError:  # damaged: it is made again
        return False


def _tested(study: Study, run: Run, part: str = "test") -> Tested:
    """A part of a run; both runs have the same cases in the same order."""
    return _tested_in(study, run.predictions(part))


def _tested_in(study: Study, folder: Path) -> Tested:
    from hounsfield.evaluation.evaluate import tested
    from hounsfield.inference.table import read_predictions

    table = read_predictions(folder)
    return tested("test", table, study.catalog, study.task, study.settings)


def _table_alone(study: Study) -> tuple[str, Cases | None]:
    """The table's own predictions of the test part, and what made them.

    None for a task whose answers are no classes.
    """
    import numpy as np

    from hounsfield.evaluation.table_alone import fit_table

    if study.task.kind_of_outputs(study.settings) == "values":
        return "", None
    split, outputs = study.run.split, study.task.outputs(study.settings)
    parts = [split.fold(fold) for fold in range(study.plan.training.folds)]
    models = [fit_table(_rows(study, train), outputs) for train, _ in parts]
    held = [(model, val) for model, (_, val) in zip(models, parts, strict=True) if val]
    rows = [row for model, val in held for row in model.logits(_rows(study, val).values)]
    val = [case for _, mine in held for case in mine]
    values = _rows(study, split.cases("test")).values
    logits = np.mean([model.logits(values) for model in models], axis=0)
    names = " and ".join(sorted({model.name for model in models}))
    return names, _predicted(study, "table", logits, (rows, val))


def _weighed(study: Study, alone: Run) -> Cases | None:
    """The image alone's answer and the table, weighed by a logistic regression of the validation.

    The network is held fixed: what the table adds here is no chance of another training.
    """
    import numpy as np

    from hounsfield.evaluation.table_alone import Rows, fit_logistic

    classes = study.task.kind_of_outputs(study.settings) != "values"
    if not classes or not alone.predictions("val").exists():
        return None

    def joined(part: str) -> tuple[Rows, list[str]]:
        mine = _tested(study, alone, part)
        cases: list[str] = mine.table["image"].to_list()
        rows = _rows(study, cases)
        p = np.clip(mine.cases.probability, 1e-6, 1 - 1e-6)
        answers = np.log(p) - np.log1p(-p)
        both = np.concatenate([answers, rows.values], axis=1)
        return Rows(both, rows.truth, rows.patients), cases

    val, names = joined("val")
    fitted = fit_logistic(val, study.task.outputs(study.settings))
    return _predicted(
        study, "weighed", fitted(joined("test")[0].values), (list(fitted(val.values)), names)
    )


def _predicted(
    study: Study,
    name: Literal["table", "weighed"],
    logits: NDArray[np.float64],
    val: tuple[list[Any], list[str]],
) -> Cases:
    """Predictions of the test part from logits, calibrated on those of validation cases."""
    from hounsfield.inference.table import Predicted, write_predictions
    from hounsfield.tasks.contract import Calibration, Wanted

    task, settings, plan = study.task, study.settings, study.plan.evaluation
    calibration = Calibration()
    if val[1]:
        wanted = Wanted(plan.threshold, plan.calibrate)
        calibration = task.calibrate(val[0], study.truths(val[1]), settings, wanted)
    cases = study.run.split.cases("test")
    done = Predicted(cases, ["test"] * len(cases), list(logits), study.truths(cases))
    folder = study.run.part(name)
    write_predictions(folder, done, study.catalog, task, settings, calibration)
    return _tested_in(study, folder).cases


def _rows(study: Study, cases: list[str]) -> Rows:
    """The table of these cases as a plain model takes it, with their truths and patients."""
    import numpy as np

    from hounsfield.evaluation.table_alone import Rows

    spec = study.run.table
    encoded = study.table(cases)
    assert spec is not None
    assert encoded is not None
    patients = dict(study.catalog.cases.select("case", "patient").rows())
    truth = np.array(study.truths(cases), np.int64)
    return Rows(spec.one_hot(encoded), truth, [patients[case] for case in cases])
