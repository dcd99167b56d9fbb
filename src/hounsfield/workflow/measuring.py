"""What a trained run says of new images, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import (
    Data,
    beside_run,
    cache_of,
    catalog_of,
    is_catalog,
    listed,
    noticed,
    tell,
)

if TYPE_CHECKING:
    import polars as pl

    from hounsfield.catalog import Catalog
    from hounsfield.evaluation.compare import Difference
    from hounsfield.evaluation.evaluate import Tested
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.reports.report import Report
    from hounsfield.reports.view import View
    from hounsfield.run import Run
    from hounsfield.training.study import Study


def predict(
    run: Data,
    paths: Data | Sequence[Data],
    out: Data,
    *,
    keep_ids: bool = False,
    precision: str | None = None,
    watch: Watch = SILENT,
) -> Path:
    """Predictions of new images with the own preprocessing, calibration and threshold of a run
    or a bundle.

    `paths` are files, folders or one catalog. `precision` ("fp32", "int8") is of a bundle.
    Returns the path of predictions.csv in `out`.

    Raises:
        RunError: the run is not trained, or the bundle is damaged. InputError: the data do not
            fit it.
    """
    from hounsfield.bundle.manifest import is_bundle
    from hounsfield.inference.table import read_predictions

    out = Path(out)
    if not listed(paths):
        raise UsageError("nothing to predict", expected="files, folders or a catalog")
    if not Path(run).exists():
        raise RunError(
            "there is no such run or bundle",
            file=Path(run),
            expected="a folder that `hounsfield train` or `hounsfield export` wrote",
            remedy="check the path for a typing error",
        )
    if (out / "predictions.csv").exists():
        raise RunError("there are predictions already", file=out, remedy="choose another --out")
    if is_bundle(Path(run)):
        from hounsfield.workflow.exporting import predict_with_bundle

        path, calibration = predict_with_bundle(
            run, listed(paths), out, keep_ids=keep_ids, precision=precision, watch=watch
        )
    else:
        if precision is not None:
            raise UsageError("--precision is of a bundle", remedy="`hounsfield export RUN`")
        opened = _trained(run)
        catalog = _catalog_for(opened, listed(paths), beside_run(out), keep_ids, watch)
        path = _predict(on_other_data(opened, catalog, watch), out, watch)
        calibration = opened.calibration
    for sentence in _told(read_predictions(out), calibration.thresholds):
        watch.say(sentence)
    return path


def evaluate(
    run: Data, data: Data | None = None, *, name: str | None = None, watch: Watch = SILENT
) -> Evaluation:
    """The run measured: on its own test part, or on another hospital's data, with its report.

    Raises:
        RunError: the run is not trained, or has an evaluation of the data's name already; a name
            that is given is measured anew. InputError: the data do not fit the run.
    """
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.inference.fit_for import check_labelled, unseen

    opened = _trained(run)
    if data is None:
        if name not in (None, "test"):
            raise UsageError("--name goes with --data", remedy="give the other data, or no name")
        study = _light_study(opened)
        with opened.locked():
            evaluate_own(study)
            write_report(study, "test")
        return Evaluation.load(opened.evaluation("test"))
    name = _free_name(opened, data, name)
    beside = beside_run(opened.path) / name
    catalog, left_out = unseen(opened, _catalog_for(opened, [data], beside, False, watch))
    study = on_other_data(opened, catalog, watch)
    unlabelled = check_labelled(study.catalog, study.task, study.settings)
    told = [sentence for sentence in (left_out, unlabelled) if sentence]
    for sentence in told:
        watch.say(f"warning: {sentence}")
    with opened.locked():
        opened.save_external(name, study.catalog)
        _predict(study, opened.predictions(name), watch)
        internal = Evaluation.load(opened.evaluation("test"))
        _measure(study, name, internal, told)
        write_report(study, name)
    return Evaluation.load(opened.evaluation(name))


def report(run: Data, name: str = "test") -> Report:
    """Write the report of an evaluation anew; it shows itself in Jupyter, and `path` is its file.

    Raises:
        RunError: the run is not trained, or has no evaluation of this name.
    """
    from hounsfield.reports.report import Report

    opened = _trained(run)
    if name not in opened.evaluations:
        raise RunError(
            f"there is no evaluation {name!r}",
            file=opened.path,
            expected=f"one of {', '.join(opened.evaluations) or 'none yet'}",
            remedy="`hounsfield evaluate RUN --data FOLDER --name NAME` makes one",
        )
    return Report(write_report(_light_study(opened, opened.external(name)), name))


def compare(runs: Sequence[Data], name: str = "test") -> list[Difference]:
    """The first run against each other one, paired on the same cases."""
    from hounsfield.evaluation.compare import paired_difference
    from hounsfield.evaluation.pairs import paired

    if len(runs) < 2:
        raise InputError("one run alone cannot be compared", expected="two runs or more")
    opened = [_trained(run) for run in runs]
    studies = [_light_study(run, run.external(name)) for run in opened]
    first, *others = [(_tested(study, name), study.catalog) for study in studies]
    metrics = studies[0].task.metrics(studies[0].settings)
    pairs = [paired(first, other) for other in others]
    return [paired_difference(metric, *pair) for pair in pairs for metric in metrics]


def evaluate_own(study: Study) -> None:
    """Measure the run on its own validation and test parts."""
    for name in ("val", "test"):
        if study.run.predictions(name).exists():
            _measure(study, name, None)


def write_report(study: Study, name: str) -> Path:
    """The report of an evaluation that is made; its path."""
    from hounsfield.reports.html import write

    return write(view_of(study, name), task_figures=study.task.FIGURES)


def view_of(study: Study, name: str) -> View:
    """A run and one of its evaluations, as reports show them."""
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.reports.view import View

    data = _tested(study, name)
    calibration = study.run.calibration
    return View(
        run=study.run,
        evaluation=Evaluation.load(study.run.evaluation(name)),
        cases=data.cases,
        table=data.table,
        catalog=study.catalog,
        truths=list(data.truths),
        before=study.task.uncalibrated(data.cases, calibration, study.settings),
        folder=study.run.evaluation(name),
    )


def _predict(study: Study, out: Path, watch: Watch) -> Path:
    from hounsfield.training.results import predict_new

    return predict_new(study, out, watch.tell)


def _measure(
    study: Study, name: str, internal: Evaluation | None, notes: Sequence[str] = ()
) -> None:
    """Measure predictions; `notes` are sentences that the report must tell."""
    from hounsfield.evaluation.evaluate import evaluate as measure
    from hounsfield.run import save_model

    data, plan = _tested(study, name), study.plan.evaluation
    found = measure(data, study.task, study.settings, plan, internal)
    noted = found.model_copy(update={"notes": (*found.notes, *notes)})
    save_model(study.run.evaluation(name) / "evaluation.json", noted)


def _tested(study: Study, name: str) -> Tested:
    from hounsfield.evaluation.evaluate import tested
    from hounsfield.inference.table import read_predictions

    table = read_predictions(study.run.predictions(name))
    return tested(name, table, study.catalog, study.task, study.settings)


def _light_study(run: Run, catalog: Catalog | None = None) -> Study:
    """The study without its images, on the run's own catalog or on another."""
    from hounsfield.training.study import Study

    return Study.of(run, None, catalog)


def _told(table: pl.DataFrame, thresholds: Sequence[float]) -> list[str]:
    """What must be known to read a table of predictions."""
    from hounsfield.catalog.findings import counted

    unlike = table.filter(table["unlike"] != "").height
    cases = counted(table.height, "case")
    said = [f"{cases}, {unlike} of them unlike the training data (column `unlike`)"]
    if not unlike:
        said = [cases]
    elif unlike == table.height:
        said += ["warning: none resembles the training data: do not use these predictions"]
    if len(thresholds) == 1:
        said += [f"decided at a probability of {thresholds[0]:.3g}, chosen on validation data"]
    if table["image"].str.starts_with("im-").any():
        said += ["names of files that may be people's are pseudonyms; --keep-ids keeps them"]
    return said


def _catalog_for(
    opened: Run, paths: Sequence[Data], beside: Path, keep_ids: bool, watch: Watch
) -> Catalog:
    """The catalog that other data are, or one indexed in `beside` with the run's label map."""
    labels = None if is_catalog(paths) else opened.resolved.plan.data.label_map
    catalog = catalog_of(paths, beside, watch, keep_ids=keep_ids, label_map=labels)
    tell(noticed(catalog), watch)
    return catalog


def on_other_data(opened: Run, catalog: Catalog, watch: Watch) -> Study:
    """The run's study on other data; their cache lies beside their catalog."""
    from hounsfield.inference.fit_for import check_fit
    from hounsfield.training.study import Study, prepared

    plan = opened.resolved.plan
    check_fit(opened, catalog)
    cache, readable, findings = prepared(catalog, plan, cache_of(catalog), watch.tell)
    tell(findings, watch)
    return Study.of(opened, cache, readable)


def _trained(path: Data) -> Run:
    """A run that has been trained to its end."""
    from hounsfield.run import Run

    run = Run(Path(path))
    if run.status not in ("trained", "finished"):
        raise RunError(
            "the run is not trained to its end",
            file=run.path,
            remedy=f"`hounsfield train --resume {path}` goes on",
        )
    return run


def _free_name(run: Run, data: Data, asked: str | None) -> str:
    """What an evaluation is called: as asked, or as its data, without what file systems dislike."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in asked or Path(data).stem)
    name = plain.strip("-") or "external"
    if name in ("test", "val"):
        raise InputError(f"{name!r} names the run's own part", remedy="choose another --name")
    if name in run.evaluations and not asked:
        raise RunError(
            f"there is an evaluation {name!r} already",
            file=run.path,
            remedy=f"give --name OTHER, or --name {name} to replace it",
        )
    return name
