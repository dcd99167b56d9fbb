"""The verbs: index, split, audit, plan, train, predict, evaluate, report, compare.

The command line and Python call the same functions. They hand results from room to room.
Heavy rooms are imported where they are entered, so that help appears at once.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError, RunError, StorageError, UsageError
from hounsfield.progress import Silent, Watch

if TYPE_CHECKING:
    import torch

    from hounsfield.audit import Audit
    from hounsfield.catalog import Catalog, Finding
    from hounsfield.catalog.scan import Indexed
    from hounsfield.catalog.split import Split
    from hounsfield.evaluation.compare import Difference
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.plan.resolved import Resolved
    from hounsfield.run import Run
    from hounsfield.training.study import Study

Data = str | Path
SILENT = Silent()


def index(folders: Sequence[Data], out: Data, *, watch: Watch = SILENT, **settings: Any) -> Indexed:
    """Folders of images become a catalog in the folder `out`."""
    from hounsfield.catalog import builtin
    from hounsfield.catalog.scan import IndexSettings
    from hounsfield.catalog.scan import index as scan

    paths = [
        builtin.materialise(str(folder), Path(out)) if _built_in(folder) else Path(folder)
        for folder in folders
    ]
    return scan(paths, Path(out), IndexSettings.model_validate(settings), watch.tell)


def split(catalog: Catalog, asked: Mapping[str, Any] | None = None) -> Split:
    """Which cases train, choose and test, as the plan's `data` section says."""
    from hounsfield.plan.split import split_catalog

    return split_catalog(catalog, dict(asked or {}))


def audit(
    catalog: Catalog, split: Split | None = None, *, watch: Watch = SILENT, **settings: Any
) -> Audit:
    """Duplicates, leaks, label conflicts and shortcuts of a catalog and its split."""
    from hounsfield.audit import AuditSettings
    from hounsfield.audit import audit as examine

    assert catalog.folder is not None
    chosen = AuditSettings.model_validate(settings)
    return examine(catalog, split, chosen, cache=catalog.folder / "audit", progress=watch.tell)


def plan(
    data: Data, asked: Mapping[str, Any] | None = None, *, out: Data = "plan", watch: Watch = SILENT
) -> Resolved:
    """What `train` would do with these data, each value with its reason; trains nothing."""
    from hounsfield.plan.asked import from_paths

    checked = from_paths(asked or {})
    beside = beside_run(Path(out).with_suffix(""))
    return _prepare(_catalog(data, beside, checked, watch), checked, watch).resolved


def train(
    data: Data,
    asked: Mapping[str, Any] | None = None,
    *,
    out: Data = "run",
    overwrite: bool = False,
    keep_ids: bool = False,
    watch: Watch = SILENT,
) -> Run:
    """From a folder, a file, a catalog or `dataset:NAME` to a finished run with its report.

    `asked` maps dotted paths of the plan to values, e.g. {"training.epochs": 3}.
    """
    from hounsfield.files import write_text
    from hounsfield.plan.asked import from_paths
    from hounsfield.run import Run

    request = {"data": str(data), "asked": from_paths(asked or {}), "keep_ids": keep_ids}
    run = Run.create(out, overwrite=overwrite)
    asked_for = beside_run(run.path) / "request.json"
    try:
        write_text(asked_for, json.dumps(request, default=str), private=True)
    except StorageError:
        run.remove()
        raise
    try:
        return resume(run.path, watch=watch)
    except (UsageError, InputError):
        if not run.begun:  # refused before anything was trained: leave no half run
            run.remove()
            asked_for.unlink()
            if not any(asked_for.parent.iterdir()):  # an index that was made is kept
                asked_for.parent.rmdir()
        raise


def resume(path: Data, *, watch: Watch = SILENT) -> Run:
    """Go on with a run that was stopped, wherever it was."""
    from hounsfield.run import Run

    run = Run(path)
    with run.locked():
        if run.status != "planned" and not all(member.trained for member in run.members):
            run.update(status="training")  # a member's files were deleted, to be made again
        if run.status == "finished":
            watch.say(f"{run.path} is finished; its report: {run.report()}")
            return run
        if run.status == "planned":
            _plan_run(run, watch)
        study = _study(run, watch)
        if not (run.sheets / "raw.png").exists():
            from hounsfield.training.sheets import draw_sheets

            with watch.stage("sheets"):
                draw_sheets(study, run.sheets)
        _train(study, watch)
        with watch.stage("evaluate"):
            _evaluate_own(study)
        with watch.stage("report"):
            _report(study, "test")
        run.update(status="finished")
    return run


def predict(
    run: Data,
    paths: Sequence[Data],
    out: Data,
    *,
    keep_ids: bool = False,
    watch: Watch = SILENT,
) -> Path:
    """Predictions of new images with the run's own preprocessing, calibration and threshold.

    `paths` are files, folders or one catalog. Returns the path of predictions.csv in `out`.

    Raises:
        RunError: the run is not trained. InputError: the data do not fit the run.
    """
    from hounsfield.inference.table import read_predictions

    out = Path(out)
    if (out / "predictions.csv").exists():
        raise RunError("there are predictions already", file=out, remedy="choose another --out")
    study = _foreign(_trained(Path(run)), paths, beside_run(out), keep_ids, watch)
    path = _predict_new(study, out, watch)
    table = read_predictions(out)
    unlike = table.filter(table["unlike"] != "").height
    told = f", {unlike} of them unlike the training data (column `unlike`)" if unlike else ""
    watch.say(f"{table.height} cases{told}")
    return path


def evaluate(
    run: Data, data: Data | None = None, *, name: str | None = None, watch: Watch = SILENT
) -> Evaluation:
    """The run measured: on its own test part, or on another hospital's data, with its report."""
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.inference.fit_for import check_labelled

    path = Path(run)
    if data is None:
        study = _light_study(_trained(path))
        with study.run.locked():
            _evaluate_own(study)
            _report(study, "test")
        return Evaluation.load(study.run.evaluation("test"))
    name = name or _plain(data)
    if name in ("test", "val"):
        raise InputError(f"{name!r} names the run's own part", remedy="choose another --name")
    study = _foreign(_trained(path), [data], beside_run(path) / name, False, watch)
    if told := check_labelled(study.catalog, study.task, study.settings):
        watch.say(f"warning: {told}")
    with study.run.locked():
        study.run.save_external(name, study.catalog)
        _predict_new(study, study.run.predictions(name), watch)
        internal = Evaluation.load(study.run.evaluation("test"))
        _measure(study, name, internal)
        _report(study, name)
    return Evaluation.load(study.run.evaluation(name))


def report(run: Data, name: str = "test") -> Path:
    """Write the report of an evaluation anew; its path."""
    opened = _trained(Path(run))
    if name not in opened.evaluations:
        raise RunError(
            f"there is no evaluation {name!r}",
            file=opened.path,
            expected=f"one of {', '.join(opened.evaluations) or 'none yet'}",
            remedy="`hounsfield evaluate RUN --data FOLDER --name NAME` makes one",
        )
    return _report(_light_study(opened, opened.external(name)), name)


def compare(runs: Sequence[Data], name: str = "test") -> list[Difference]:
    """The first run against each other one, paired on the same cases."""
    from hounsfield.evaluation.compare import paired_difference

    if len(runs) < 2:
        raise InputError("one run alone cannot be compared", expected="two runs or more")
    opened = [_trained(Path(run)) for run in runs]
    first, *others = [_tested(_light_study(run, run.external(name)), name) for run in opened]
    found = []
    for other in others:
        a, b, metrics = _matched(first, other)
        found += [paired_difference(metric, a, b) for metric in metrics]
    return found


def loader(run: Data | Run, part: str, *, fold: int = 0) -> torch.utils.data.DataLoader[Any]:
    """A plain torch DataLoader of (images, targets) as a run's network sees them."""
    from hounsfield.run import Run
    from hounsfield.training.data import plain_loader

    opened = run if isinstance(run, Run) else _open(Path(run))
    return plain_loader(_study(opened, SILENT), part, fold)


def demo(out: Data = "demo", *, patients: int = 300, seed: int = 0, watch: Watch = SILENT) -> Run:
    """The whole way on simulated chest radiographs, in OUT/data and OUT/run."""
    from hounsfield.catalog.phantoms import chest_xray

    out = Path(out)
    with watch.stage("simulate"):
        for name in ("data", "run", "run.catalog"):
            shutil.rmtree(out / name, ignore_errors=True)
        settings = chest_xray.Settings(patients=patients, seed=seed, images_per_patient=3, size=512)
        chest_xray.make(out / "data", settings, lambda n, of: watch.tell("simulating", n, of))
    asked = {
        "data.train": 0.5,
        "data.val": 1 / 6,
        "data.test": 1 / 3,
        "data.seed": seed,
        "training.seed": seed,
    }
    return train(out / "data", asked, out=out / "run", watch=watch)


def beside_run(run: Path) -> Path:
    """Where a run's own catalog, link and cache lie, outside the run: RUN.catalog."""
    return run.with_name(f"{run.name}.catalog")


# How the verbs hand on


@dataclass(frozen=True, eq=False)
class _Prepared:
    resolved: Resolved
    asked: dict[str, Any]
    catalog: Catalog
    split: Split
    findings: tuple[Any, ...]
    fingerprint: Any
    audit: Audit


def _catalog(
    data: Data,
    beside: Path,
    asked: Mapping[str, Any],
    watch: Watch,
    *,
    keep_ids: bool = False,
) -> Catalog:
    """The catalog that `data` is, or one indexed from it beside the run."""
    from hounsfield.catalog import Catalog

    if not _built_in(data) and (Path(data) / "images.parquet").exists():
        return Catalog.load(data)
    with watch.stage("index"):
        settings = {"keep_ids": keep_ids, "label_map": asked.get("data.label_map")}
        return index([data], beside, watch=watch, **settings).catalog


def _noticed(catalog: Catalog) -> list[Finding]:
    """What indexing found that matters: files set aside, and the like."""
    from hounsfield.catalog.findings import load

    assert catalog.folder is not None
    return [one for one in load(catalog.folder) if one.severity != "info"]


def _prepare(catalog: Catalog, asked: dict[str, Any], watch: Watch) -> _Prepared:
    """Task, split, audit, plan: all that is decided before the first step."""
    from hounsfield.audit import apply
    from hounsfield.plan.choose import choose
    from hounsfield.plan.fingerprint import fingerprint
    from hounsfield.plan.split import labelled, split_labelled

    task, settings, usable = labelled(catalog, asked)
    strata = task.strata(usable, settings)
    with watch.stage("split"):
        dealt = split_labelled(usable, strata, asked)
    with watch.stage("audit"):
        found = audit(usable, dealt, near=asked.get("audit.near", "auto"), watch=watch)
        kept, left = apply(found, dealt, asked.get("audit.on_leak", "drop"))
    with watch.stage("plan"):
        known = dict(zip(usable.cases["case"], strata, strict=True))
        training, _ = kept.fold(0)
        facts = fingerprint(usable, training, [known[case] for case in training])
        resolved = choose(asked, facts, task, settings)
    used = usable.select(kept.table["case"].to_list())
    said = (*_noticed(catalog), *dealt.findings, *found.findings, *left)
    return _Prepared(resolved, asked, used, kept, said, facts, found)


def _plan_run(run: Run, watch: Watch) -> None:
    """Everything before training, done again from the start when a run was stopped in it."""
    from hounsfield.audit.sheet import save as save_sheet
    from hounsfield.plan.asked import from_paths
    from hounsfield.preprocessing.warm import warm
    from hounsfield.run import save_model

    beside = beside_run(run.path)
    try:
        request = json.loads((beside / "request.json").read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            "the run was stopped before it began",
            file=run.path,
            remedy="train again, with --overwrite",
        ) from error
    asked = from_paths(request["asked"])
    catalog = _catalog(request["data"], beside, asked, watch, keep_ids=request["keep_ids"])
    ready = _prepare(catalog, asked, watch)
    with watch.stage("compile"):
        warm(ready.resolved.plan.preprocessing, ready.resolved.plan.augmentation)
    with watch.stage("prepare"):
        watch.tell("loading libraries", 0, None)
        from hounsfield.training.settle import settle

        settled = settle(ready.resolved, ready.catalog, ready.split, _cache(catalog), watch.tell)
    save_sheet(ready.audit, catalog, run.sheets)
    run.save_data(settled.catalog, settled.split, ready.fingerprint)
    run.save_findings((*ready.findings, *settled.findings))
    save_model(run.ranges_file, settled.ranges)
    run.save_plan(ready.asked, settled.resolved)
    run.update(status="training")


def _train(study: Study, watch: Watch) -> None:
    from hounsfield.training.results import predict_parts
    from hounsfield.training.train import train_members

    if study.run.status == "training":
        with watch.stage("train"):
            networks = train_members(study, _said(watch, len(study.run.members)))
        with watch.stage("predict"):
            predict_parts(study, networks, watch.tell)
        study.run.update(status="trained")


def _said(watch: Watch, members: int) -> Any:
    def said(member: Any, done: int, of: int, line: Mapping[str, Any]) -> None:
        name = f" {member.name}" if members > 1 else ""
        losses = ", ".join(f"{k} {v:.3f}" for k, v in line.items() if k.endswith("loss"))
        watch.tell(f"training{name}: {losses}, {line['metric']} {line['monitor']:.3f}", done, of)

    return said


def _study(run: Run, watch: Watch) -> Study:
    """The run's study; its cache is made again where it is gone."""
    from hounsfield.training.study import Study, prepared

    catalog = run.catalog
    cache, _, _ = prepared(catalog, run.resolved.plan, _cache(catalog), watch.tell)
    return Study.of(run, cache, catalog)


def _light_study(run: Run, catalog: Catalog | None = None) -> Study:
    """The study without its images, on the run's own catalog or on another."""
    from hounsfield.training.study import Study

    return Study.of(run, None, catalog)


def _foreign(
    opened: Run, paths: Sequence[Data], beside: Path, keep_ids: bool, watch: Watch
) -> Study:
    """The run's study on other data, whose catalog and cache lie in `beside` if they are new."""
    from hounsfield.inference.fit_for import check_fit
    from hounsfield.training.study import Study, prepared

    if len(paths) == 1:
        catalog = _catalog(paths[0], beside, {}, watch, keep_ids=keep_ids)
    else:
        catalog = index(paths, beside, keep_ids=keep_ids, watch=watch).catalog
    check_fit(opened, catalog)
    cache, readable, findings = prepared(catalog, opened.resolved.plan, _cache(catalog), watch.tell)
    for finding in (*_noticed(catalog), *findings):
        watch.say(f"{finding.severity}: {finding.text}")
    return Study.of(opened, cache, readable)


def _predict_new(study: Study, out: Path, watch: Watch) -> Path:
    from hounsfield.training.results import predict_new

    return predict_new(study, out, watch.tell)


def _evaluate_own(study: Study) -> None:
    for name in ("val", "test"):
        if study.run.predictions(name).exists():
            _measure(study, name, None)


def _tested(study: Study, name: str) -> Any:
    from hounsfield.evaluation.evaluate import tested
    from hounsfield.inference.table import read_predictions

    table = read_predictions(study.run.predictions(name))
    return study, tested(name, table, study.catalog, study.task, study.settings)


def _measure(study: Study, name: str, internal: Evaluation | None) -> None:
    from hounsfield.evaluation.evaluate import evaluate as measure
    from hounsfield.run import save_model

    _, data = _tested(study, name)
    plan = study.plan.evaluation
    found = measure(data, study.task, study.settings, plan, internal)
    save_model(study.run.evaluation(name) / "evaluation.json", found)


def _report(study: Study, name: str) -> Path:
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.reports.html import write
    from hounsfield.reports.view import View

    _, data = _tested(study, name)
    calibration = study.run.calibration
    view = View(
        run=study.run,
        evaluation=Evaluation.load(study.run.evaluation(name)),
        cases=data.cases,
        table=data.table,
        catalog=study.catalog,
        truths=list(data.truths),
        before=study.task.uncalibrated(data.cases, calibration, study.settings),
        folder=study.run.evaluation(name),
    )
    return write(view, task_figures=study.task.FIGURES)


def _matched(first: Any, other: Any) -> Any:
    """The cases that both runs predicted, in one order, and the metrics of both."""
    import numpy as np

    (study, a), (_, b) = first, other
    rows = [_rows(*one) for one in (first, other)]
    both = [content for content in rows[0] if content in rows[1]]
    if not both or a.cases.classes != b.cases.classes:
        raise InputError(
            "the runs have no test cases in common" if not both else "the classes differ",
            expected="runs of one task on the same data and split",
            remedy="train both with the same --data.seed on the same data",
        )
    taken = [
        data.cases.take(np.array([mine[content] for content in both]))
        for data, mine in zip((a, b), rows, strict=True)
    ]
    return taken[0], replace(taken[1], patient=taken[0].patient), study.task.metrics(study.settings)


def _rows(study: Study, data: Any) -> dict[tuple[str, int], int]:
    """Where each case stands in the table, by what its files hold: names differ by catalog."""
    hashes = dict(study.catalog.images.select("image", "hash").rows())
    inputs = dict(study.catalog.cases.select("case", "inputs").rows())
    seen = Counter[str]()
    found: dict[tuple[str, int], int] = {}
    for row, case in enumerate(data.table["image"]):
        content = "+".join(str(hashes[one["image"]]) for one in inputs[case])
        seen[content] += 1  # identical pictures stay two cases
        found[content, seen[content]] = row
    return found


def _cache(catalog: Catalog) -> Path:
    assert catalog.folder is not None
    return catalog.folder / "cache"


def _open(path: Path) -> Run:
    from hounsfield.run import Run

    return Run(path)


def _trained(path: Path) -> Run:
    """A run that has been trained to its end."""
    run = _open(path)
    if run.status not in ("trained", "finished"):
        raise RunError(
            "the run is not trained to its end",
            file=path,
            remedy=f"`hounsfield train --resume {path}` goes on",
        )
    return run


def _built_in(data: Data) -> bool:
    return str(data).startswith("dataset:")


def _plain(data: Data) -> str:
    """A folder's name for an evaluation, without what a file system dislikes."""
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(str(data)).stem)
    return name.strip("-") or "external"
