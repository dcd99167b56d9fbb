"""From a trained run to a bundle, and what a bundle says of new images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hounsfield.errors import InputError, UsageError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, catalog_of, is_catalog, noticed, tell

if TYPE_CHECKING:
    from hounsfield.bundle.manifest import Manifest
    from hounsfield.bundle.opened import Bundle, Computing
    from hounsfield.bundle.predicting import Answered
    from hounsfield.catalog import Catalog
    from hounsfield.run import Run
    from hounsfield.tasks.contract import Calibration

LEFT_OUT = "left_out.csv"  # beside predictions.csv, where a case could not be read


@dataclass(frozen=True)
class Exported:
    """A bundle's folder, and what it says of itself."""

    path: Path
    manifest: Manifest


def export(
    run: Data,
    out: Data | None = None,
    *,
    int8: bool = False,
    patients: bool = False,
    watch: Watch = SILENT,
) -> Exported:
    """A trained run as a folder that predicts without PyTorch and without the data: the bundle.

    `out` is a new folder, by default RUN.bundle beside the run. `int8` adds a network in 8 bits,
    where it passes on validation data; `patients` takes the reference cases from the run's test
    part instead of making them. Both need the run's images.

    Raises:
        RunError: the run is not trained, or no runtime computes what it does.
        UsageError: its task or network cannot be exported.
    """
    from hounsfield.bundle.export import Wish, check_exportable
    from hounsfield.bundle.export import export as write
    from hounsfield.bundle.manifest import is_bundle
    from hounsfield.bundle.use import intended_use
    from hounsfield.training.study import Study
    from hounsfield.workflow.measuring import _trained, view_of
    from hounsfield.workflow.training import study_of

    if is_bundle(Path(run)):
        raise UsageError("is a bundle already", file=Path(run), remedy="name the run's folder")
    opened = _trained(run)
    light = Study.of(opened, None)
    check_exportable(light)
    target = Path(out) if out is not None else opened.path.with_name(f"{opened.path.name}.bundle")
    wish = Wish(int8=int8, patients=patients, label_map=_label_map(opened))
    with watch.stage("export"):
        study = study_of(opened, watch) if wish.needs_images else light
        manifest = write(study, intended_use(view_of(light, "test")), target, wish, watch)
    return Exported(target, manifest)


def predict_with_bundle(
    bundle: Data,
    paths: Sequence[Data],
    out: Path,
    *,
    keep_ids: bool = False,
    precision: str | None = None,
    watch: Watch = SILENT,
) -> tuple[Path, Calibration]:
    """Predictions of new images by a bundle, and the calibration that they are made with.

    The network starts while the images are indexed. Reading, preparing and computing overlap;
    what cannot be read is left out and listed in OUT/left_out.csv.

    Raises:
        RunError: the bundle is damaged, or does not compute right here.
        InputError: the images do not fit it, or none can be read.
    """
    from hounsfield.bundle.opened import Bundle, computing
    from hounsfield.bundle.predicting import answered
    from hounsfield.inference.fit_for import check_fit
    from hounsfield.spatial.threads import thread_count

    threads = thread_count()
    opened = Bundle.open(Path(bundle))
    with ThreadPoolExecutor(1, "start") as pool:
        starting = pool.submit(computing, opened, threads, precision=precision)
        catalog = _catalog(opened, paths, out, keep_ids, watch)
        tell(noticed(catalog), watch)
        check_fit(opened, catalog)
        started = starting.result()
    for sentence in _told(started):
        watch.say(sentence)
    found = answered(started, catalog, threads, lambda done, of: watch.tell("predicting", done, of))
    _tell_left_out(found, catalog, out, watch)
    return _written(opened, found, catalog, out), opened.manifest.calibration


def _label_map(run: Run) -> Mapping[str, str | None]:
    """What the run was told to call labels of other names.

    Raises:
        InputError: the file that told it is gone or damaged.
    """
    from hounsfield.catalog.scan import read_label_map

    path = run.resolved.plan.data.label_map
    return read_label_map(path) if path else {}


def _catalog(
    opened: Bundle, paths: Sequence[Data], out: Path, keep_ids: bool, watch: Watch
) -> Catalog:
    """The catalog that the images are, or one indexed from them with the bundle's label map."""
    known = opened.manifest.label_map
    with TemporaryDirectory() as folder:
        file = Path(folder) / "labels.yaml" if known and not is_catalog(paths) else None
        if file is not None:
            file.write_text(json.dumps(known), encoding="utf-8")  # JSON is YAML
        return catalog_of(paths, beside_run(out), watch, keep_ids=keep_ids, label_map=file)


def _told(started: Computing) -> list[str]:
    """What computes, where that is not the usual."""
    said = [f"warning: {sentence}" for sentence in started.said]
    quantised = started.bundle.manifest.quantised
    if started.variant.precision == "int8" and quantised is not None:
        said.append(
            f"computed in 8 bits ({quantised.metric} {quantised.after:.4f} instead of "
            f"{quantised.before:.4f} on {quantised.cases} validation cases); --precision fp32 "
            "computes in 32"
        )
    if started.bundle.manifest.references == "patients":
        said.append("warning: the bundle holds pictures of patients, its reference cases")
    return said


def _tell_left_out(found: Answered, catalog: Catalog, out: Path, watch: Watch) -> None:
    """List what could not be read.

    Raises:
        InputError: nothing could.
    """
    import polars as pl

    from hounsfield.files import whole_file

    if not found.left_out:
        return
    count = len(found.left_out)
    case, problem = next(iter(found.left_out.items()))
    if not found.cases:
        raise InputError(
            f"none of the {count} images can be used; the first: {problem}",
            file=catalog.folder,
            remedy="put that right or copy the files again, then predict again",
        )
    verb = "images cannot be used and are" if count > 1 else "image cannot be used and is"
    watch.say(f"warning: {count} {verb} left out ({LEFT_OUT}); the first, {case}: {problem}")
    with whole_file(out / LEFT_OUT) as file:
        rows = {"image": list(found.left_out), "reason": list(found.left_out.values())}
        pl.DataFrame(rows).write_csv(file)


def _written(opened: Bundle, found: Answered, catalog: Catalog, out: Path) -> Path:
    from hounsfield.inference.table import Predicted, write_predictions

    task, settings = opened.task, opened.settings
    truths = dict(zip(catalog.cases["case"], task.truths(catalog, settings), strict=True))
    done = Predicted(
        found.cases,
        ["new"] * len(found.cases),
        found.predictions,
        [truths[case] for case in found.cases],
        found.unlike,
    )
    calibration = opened.manifest.calibration
    return write_predictions(out, done, catalog, task, settings, calibration)
