"""A bundle answers as its run does, and is refused where it would not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image as Picture
from spoiling import changed_weights

from hounsfield import workflow
from hounsfield.bundle import export as exporting
from hounsfield.bundle import int8
from hounsfield.bundle.manifest import Quantised, read_manifest
from hounsfield.bundle.references import COUNT, References
from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.plan.schema import Plan
from hounsfield.run import Run
from hounsfield.tasks import load as load_task
from hounsfield.training.study import Study


def table(folder: Path, name: str = "predictions.csv") -> pl.DataFrame:
    return pl.read_csv(folder / name)


def test_answers_as_the_run(
    tiny_run: Run, whole_bundle: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """The same images, columns and files; probabilities to 1e-4."""
    catalog = tmp_path / "catalog"
    workflow.index([tiny_data], catalog)
    for source, name in ((tiny_run.path, "run"), (whole_bundle, "bundle")):
        workflow.predict(source, catalog, tmp_path / name)
    mine, its = table(tmp_path / "bundle"), table(tmp_path / "run")
    words = ["image", "patient", "split", "label", "prediction", "unlike"]
    assert mine.columns == its.columns
    assert mine.height == 130
    assert mine.select(words).equals(its.select(words))
    numbers = its.select(pl.selectors.float()).to_numpy()
    assert np.abs(mine.select(pl.selectors.float()).to_numpy() - numbers).max() < 1e-4
    assert numbers.std() > 0.02  # else anything would do
    short = "submission.csv"
    assert table(tmp_path / "bundle", short).equals(table(tmp_path / "run", short))
    left = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert left == {path.name for path in (tmp_path / "run").iterdir()}


def test_what_is_in_it(whole_bundle: Path, tiny_run: Run) -> None:
    manifest = read_manifest(whole_bundle)
    names = {path.name for path in whole_bundle.iterdir()}
    assert names == {*manifest.files, "bundle.json"}
    assert {"model.onnx", "model.xml", "model.bin"} < names
    assert manifest.calibration == tiny_run.calibration
    assert manifest.labels == ("0", "1")
    assert manifest.preprocessing == tiny_run.resolved.plan.preprocessing
    assert {one.runtime for one in manifest.variants} == {"onnxruntime", "openvino"}
    speeds = [one.images_per_second for one in manifest.variants]
    assert speeds == sorted(speeds, reverse=True)
    page = (whole_bundle / "INTENDED_USE.md").read_text()
    assert "a probability for each of 0 and 1" in page
    assert f"called 1 from a probability of {tiny_run.calibration.thresholds[0]:.3g} on" in page
    assert "not a medical device" in page
    assert "no patient's picture" in page
    first = manifest.use.scores[0]
    assert f"| {first.value:.3f} | {first.low:.3f} to {first.high:.3f} |" in page


def test_no_place_of_this_machine_is_told(whole_bundle: Path) -> None:
    """The exporter notes the source lines of each operator; they are taken out."""
    for path in whole_bundle.iterdir():
        assert not re.search(rb"site-packages|/src/hounsfield|tmp/pytest", path.read_bytes()), path


def test_exporting_tells_nobody(whole_bundle: Path, connections: list[str]) -> None:
    assert (whole_bundle / "bundle.json").is_file()
    assert connections == []


def test_references_are_nobodys(whole_bundle: Path, tiny_data: Path) -> None:
    found = References.from_bytes((whole_bundle / "references.safetensors").read_bytes())
    assert len(found.raw) == len(found.prepared) == COUNT
    with np.load(tiny_data) as arrays:
        pictures = np.concatenate([arrays[f"{p}_images"] for p in ("train", "val", "test")])
    near = np.abs(found.prepared[:, None, 0, 0] * 255 - pictures[None].astype(np.float32))
    assert near.mean((2, 3)).min() > 5
    assert len(np.unique(found.outputs[:, 0])) == COUNT


@pytest.mark.usefixtures("exported")
def test_patients_pictures_only_when_asked_for(tiny_run: Run, tmp_path: Path) -> None:
    made = workflow.export(tiny_run, tmp_path / "b", patients=True)
    found = References.from_bytes((made.path / "references.safetensors").read_bytes())
    assert found.raw == ()
    assert made.manifest.references == "patients"
    assert "PICTURES OF PATIENTS" in (made.path / "INTENDED_USE.md").read_text()
    study = workflow.training.study_of(tiny_run)
    images = study.cache.images(tiny_run.split.cases("test")[:COUNT])
    assert np.array_equal(found.prepared, images)


def test_another_network_is_refused(
    tiny_run: Run, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was exported differs from what was checked: no bundle, and the number is told."""
    other = changed_weights(exported.read_bytes())
    monkeypatch.setattr(exporting, "as_onnx", lambda *_: other)
    with pytest.raises(RunError, match=r"onnxruntime differs from PyTorch by [\d.e-]+, above"):
        workflow.export(tiny_run, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize(("after", "kept"), [(0.8985, True), (0.8975, False), (0.9025, False)])
def test_8_bits_are_kept_where_the_metric_stays(
    tiny_run: Run,
    whole_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: float,
    kept: bool,
) -> None:
    """A change of 0.002 is too much, also for the better."""
    files = tuple((whole_bundle / name).read_bytes() for name in ("model.xml", "model.bin"))
    found = Quantised(metric="AUROC", cases=30, before=0.9, after=after, calibrated_on=0)
    monkeypatch.setattr(int8, "quantised", lambda *_: files)
    monkeypatch.setattr(int8, "change", lambda *_: found)
    made = workflow.export(tiny_run, tmp_path / "bundle", int8=True)
    assert (made.path / "int8.xml").exists() is kept
    assert ("int8" in {one.precision for one in made.manifest.variants}) is kept
    told = f"AUROC of 30 validation cases goes from 0.9000 to {after:.4f}"
    assert any(told in note for note in made.manifest.notes) is not kept


def test_a_bundle_is_not_exported_again(whole_bundle: Path) -> None:
    with pytest.raises(UsageError, match="is a bundle already"):
        workflow.export(whole_bundle)


@pytest.mark.usefixtures("exported")
def test_the_label_map_travels(tiny_run: Run, tmp_path: Path) -> None:
    """New images in folders named otherwise get the run's labels."""
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    names = tmp_path / "names.csv"
    names.write_text("old,new\nwell,0\nill,1\n")
    plan = run.resolved.plan.model_dump(mode="json")
    plan["data"]["label_map"] = str(names)
    resolved = replace(run.resolved, plan=Plan.model_validate(plan))
    run.save_plan({"data.label_map": str(names)}, resolved)
    made = workflow.export(run, tmp_path / "bundle").path
    names.unlink()
    grey = np.full((12, 12), 100, np.uint8)
    for label in ("well", "ill", "other"):
        (tmp_path / "new" / label).mkdir(parents=True)
        for i in range(2):
            Picture.fromarray(grey + i).save(tmp_path / "new" / label / f"{i}.png")
    workflow.predict(made, tmp_path / "new", tmp_path / "out", keep_ids=True)
    found = pl.read_csv(tmp_path / "out/predictions.csv", schema_overrides={"label": pl.String})
    told = {str(one["image"]).split("/")[0]: one["label"] for one in found.to_dicts()}
    assert told == {"well": "0", "ill": "1", "other": ""}


def test_a_folder_in_use_is_kept(tiny_run: Run, whole_bundle: Path) -> None:
    before = json.loads((whole_bundle / "bundle.json").read_text())
    with pytest.raises(InputError, match="not empty"):
        workflow.export(tiny_run, whole_bundle)
    assert json.loads((whole_bundle / "bundle.json").read_text()) == before


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_tasks_without_a_bundle_are_refused_kindly(tiny_run: Run, task: str) -> None:
    study = Study.of(tiny_run, None)
    object.__setattr__(study, "task", load_task(task))
    with pytest.raises(UsageError, match=f"a run of {task} has no bundle") as refused:
        exporting.check_exportable(study)
    assert "hounsfield predict" in str(refused.value)
