"""After a run with a table: the image alone and the table alone, on the same split."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hounsfield.progress import Watch

if TYPE_CHECKING:
    from hounsfield.evaluation.evaluate import Tested
    from hounsfield.evaluation.table_alone import Rows
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
    if run.adds and not run.image_alone.exists():
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
    both, image = _tested(study, run), _tested(study, alone)
    arms = Arms(both=both.cases, image=image.cases, table=table.cases if table else None)
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

    path, wanted = run.image_alone, _plan_without(run)
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


def _tested(study: Study, run: Run) -> Tested:
    """A run's own test part; both runs have the same cases in the same order."""
    from hounsfield.evaluation.evaluate import tested
    from hounsfield.inference.table import read_predictions

    table = read_predictions(run.predictions("test"))
    return tested("test", table, study.catalog, study.task, study.settings)


def _table_alone(study: Study) -> tuple[str, Tested | None]:
    """The table's own predictions of the test part, calibrated as the network's are.

    None for a task whose answers are no classes.
    """
    import numpy as np

    from hounsfield.evaluation.evaluate import tested
    from hounsfield.evaluation.table_alone import fit_table
    from hounsfield.inference.table import Predicted, read_predictions, write_predictions

    if study.task.kind_of_outputs(study.settings) == "values":
        return "", None
    split, outputs = study.run.split, study.task.outputs(study.settings)
    parts = [split.fold(fold) for fold in range(study.plan.training.folds)]
    models = [fit_table(_rows(study, train), outputs) for train, _ in parts]
    held = [(model, val) for model, (_, val) in zip(models, parts, strict=True) if val]
    calibration = _calibration(study, held)
    cases = split.cases("test")
    values = _rows(study, cases).values
    logits = np.mean([model.logits(values) for model in models], axis=0)
    folder, truths = study.run.table_alone, study.truths(cases)
    done = Predicted(cases, ["test"] * len(cases), list(logits), truths)
    write_predictions(folder, done, study.catalog, study.task, study.settings, calibration)
    table = read_predictions(folder)
    names = " and ".join(sorted({model.name for model in models}))
    return names, tested("test", table, study.catalog, study.task, study.settings)


def _calibration(study: Study, held: list[tuple[Any, list[str]]]) -> Any:
    """Temperature and threshold of the table alone, fitted on the validation cases."""
    from hounsfield.tasks.contract import Calibration, Wanted

    if not held:
        return Calibration()
    logits = [row for model, val in held for row in model.logits(_rows(study, val).values)]
    truths = [truth for _, val in held for truth in study.truths(val)]
    plan = study.plan.evaluation
    wanted = Wanted(plan.threshold, plan.calibrate)
    return study.task.calibrate(logits, truths, study.settings, wanted)


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
