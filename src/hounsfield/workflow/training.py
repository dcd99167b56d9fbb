"""From data to a finished run, and on with one that was stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError, StorageError, UsageError
from hounsfield.files import write_text
from hounsfield.progress import SILENT, Timed, Watch
from hounsfield.workflow import added_value, measuring
from hounsfield.workflow.data import Data, beside_run, cache_of, is_built_in
from hounsfield.workflow.planning import plan_run

if TYPE_CHECKING:
    import torch

    from hounsfield.run import Run
    from hounsfield.training.study import Study


DEMO = "DEMO.txt"  # beside what the demo writes
NO_LOSS = ("epoch", "metric", "monitor", "learning_rate")  # of a line of the log


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
    from hounsfield.plan.asked import from_paths
    from hounsfield.run import Run

    there = data if is_built_in(data) else Path(data).absolute()
    checked = _from_anywhere(from_paths(asked or {}))
    request = {"data": str(there), "asked": checked, "keep_ids": keep_ids}
    run = Run.create(Path(out), overwrite=overwrite)
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

    run = Run(Path(path))
    with _resumable(run), run.locked():
        if run.status == "finished" and run.whole:
            watch.say(f"{run.path} is finished; its report: {run.report()}")
            return run
        with _timed(run, watch) as timed:
            study = _to_the_end(run, timed)
        with watch.stage("report"):
            measuring.write_report(study, "test")
        run.update(status="finished")
    return run


def _to_the_end(run: Run, watch: Watch) -> Study:
    """Plan, train, predict and measure, as far as that is not done."""
    if run.status == "planned":
        plan_run(run, watch)
        added_value.announce(run, watch)
    elif not run.predicted:
        run.update(status="training")  # files were deleted, to be made again
    study = study_of(run, watch)
    _draw_sheets(study, watch)
    if run.status == "training":
        _train(study, watch)
    with watch.stage("evaluate"):
        measuring.evaluate_own(study)
    added_value.measure(study, watch)
    return study


@contextmanager
def _resumable(run: Run) -> Iterator[None]:
    """A full disk does not end a run."""
    try:
        yield
    except StorageError as error:
        further = f"`hounsfield train --resume {run.path}` goes on with the run"
        remedy = f"{error.remedy}; {further}" if error.remedy else further
        raise StorageError(
            error.problem, file=error.file, expected=error.expected, remedy=remedy
        ) from error


@contextmanager
def _timed(run: Run, watch: Watch) -> Iterator[Watch]:
    """A watch whose times are added to the run's, also where the work is stopped."""
    timed = Timed(watch)
    try:
        yield timed
    finally:
        run.add_seconds(timed.seconds)


def _from_anywhere(asked: dict[str, Any]) -> dict[str, Any]:
    """Relative files as absolute ones: a run may be resumed from another folder."""
    files = {
        name: Path(value).absolute()
        for name in ("data.label_map", "model.weights")
        if (value := asked.get(name)) and Path(value).exists()
    }
    return asked | {name: str(path) for name, path in files.items()}


def loader(run: Data, part: str, *, fold: int = 0) -> torch.utils.data.DataLoader[Any]:
    """A plain torch DataLoader of (images, targets) as a run's network sees them."""
    from hounsfield.run import Run
    from hounsfield.training.data import plain_loader

    return plain_loader(study_of(Run(Path(run))), part, fold)


def demo(out: Data = "demo", *, patients: int = 300, seed: int = 0, watch: Watch = SILENT) -> Run:
    """The whole way on simulated chest radiographs, in OUT/data and OUT/run."""
    from hounsfield.catalog.phantoms import chest_xray

    out = Path(out)
    settings = chest_xray.Settings(patients=patients, seed=seed, images_per_patient=3, size=512)
    with watch.stage("simulate"):
        _clear(out)
        chest_xray.make(out / "data", settings, lambda n, of: watch.tell("simulating", n, of))
    asked = {
        "data.train": 0.5,
        "data.val": 1 / 6,
        "data.test": 1 / 3,
        "data.seed": seed,
        "training.seed": seed,
    }
    return train(out / "data", asked, out=out / "run", watch=watch)


def _clear(out: Path) -> None:
    """Make way for a demo, where only an older one is in the way."""
    made = [out / name for name in ("data", "run", "run.catalog")]
    there = [path for path in made if path.exists()]
    if there and not (out / DEMO).exists():
        raise UsageError(
            "is in the way, and no demo made it",
            file=there[0],
            remedy="choose another folder: hounsfield demo FOLDER",
        )
    write_text(out / DEMO, "Made by `hounsfield demo`, which replaces all but this file.\n")
    for path in there:
        shutil.rmtree(path)


def study_of(run: Run, watch: Watch = SILENT) -> Study:
    """The run's study; its cache is made again where it is gone."""
    from hounsfield.training.study import Study, prepared

    catalog = run.catalog
    cache, _, _ = prepared(catalog, run.resolved.plan, cache_of(catalog), watch.tell)
    return Study.of(run, cache, catalog)


def _draw_sheets(study: Study, watch: Watch) -> None:
    if (study.run.sheets / "augmented.png").exists():  # the last one that is drawn
        return
    from hounsfield.training.sheets import draw_sheets

    with watch.stage("sheets"):
        draw_sheets(study, study.run.sheets)


def _train(study: Study, watch: Watch) -> None:
    from hounsfield.training.results import predict_parts
    from hounsfield.training.train import train_members

    with watch.stage("train"):
        networks = train_members(study, _said(watch, len(study.run.members)))
    with watch.stage("predict"):
        predict_parts(study, networks, watch.tell)
    study.run.update(status="trained")


def _said(watch: Watch, members: int) -> Any:
    def said(member: Any, done: int, of: int, line: Mapping[str, Any]) -> None:
        name = f" {member.name}" if members > 1 else ""
        losses = ", ".join(f"{k} {v:.3f}" for k, v in line.items() if k not in NO_LOSS)
        watch.tell(f"training{name}: {losses}, {line['metric']} {line['monitor']:.3f}", done, of)

    return said
