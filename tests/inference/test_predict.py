"""New images: the run's own probabilities; what is unlike is marked, what misfits is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image as Pillow

import hounsfield as hf
from hounsfield import workflow
from hounsfield.errors import InputError, RunError
from hounsfield.inference.fit_for import check_fit
from hounsfield.inference.unlike import Ranges
from hounsfield.run import Run
from hounsfield.workflow.training import study_of

COLUMNS = ["image", "patient", "split", "label", "prediction", "p_0", "p_1"]


@pytest.fixture(scope="session")
def pictures(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first ten test pictures as PNG files, 0.png to 9.png."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, pixels in enumerate(np.load(tiny_data)["test_images"][:10]):
        Pillow.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def known(tiny_run: Run) -> np.ndarray:
    """The run's own probabilities of class 1, of its test part in order."""
    return table(tiny_run.predictions("test"))["p_1"].to_numpy()


def table(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "predictions.csv")


def test_the_runs_own_tables(tiny_run: Run) -> None:
    for part, size in (("val", 30), ("test", 40)):
        found = table(tiny_run.predictions(part))
        assert found.columns == COLUMNS
        assert found.height == size
        assert found["split"].unique().to_list() == [part]
        assert (found["p_0"] + found["p_1"]).to_list() == pytest.approx([1] * size)
        short = pl.read_csv(tiny_run.predictions(part) / "submission.csv")
        assert short.columns == ["id", "label"]
        assert short["id"].to_list() == found["image"].to_list()
        assert short["label"].to_list() == found["prediction"].to_list()
    threshold = tiny_run.calibration.thresholds[0]
    tested = table(tiny_run.predictions("test"))
    assert ((tested["p_1"] >= threshold) == (tested["prediction"] == 1)).all()


def test_labels_are_the_files(tiny_run: Run, tiny_data: Path) -> None:
    tested = table(tiny_run.predictions("test"))
    order = [int(name.rpartition("/")[2]) for name in tested["image"]]
    truth = np.load(tiny_data)["test_labels"][order, 0]
    assert tested["label"].to_list() == truth.tolist()


@pytest.mark.parametrize("what", ["file", "folder", "catalog"])
def test_new_data_get_the_same_probabilities(
    what: str, tiny_run: Run, tiny_data: Path, pictures: Path, known: np.ndarray, tmp_path: Path
) -> None:
    if what == "catalog":
        hf.index([tiny_data], tmp_path / "catalog")
    path = {"file": tiny_data, "folder": pictures, "catalog": tmp_path / "catalog"}[what]
    written = workflow.predict(tiny_run.path, [path], tmp_path / "out")
    found = table(written.parent)
    assert found.columns == [*COLUMNS, "unlike"]
    assert set(found["split"]) == {"new"}
    own = table(tiny_run.predictions("test"))["image"].to_list()
    if what == "folder":
        names = [int("".join(c for c in one if c.isdigit())) for one in found["image"]]
        order = [own.index(f"test/{number}") for number in names]
        np.testing.assert_allclose(found["p_1"], known[order], atol=1e-6)
        assert set(found["label"].fill_null("")) == {""}
    else:
        mine = found.filter(pl.col("image").is_in(own))
        assert mine["image"].to_list() == own
        np.testing.assert_allclose(mine["p_1"], known, atol=1e-6)
        assert found.height == 130


def test_one_picture_is_enough_and_its_name_is_no_secret(
    tiny_run: Run, pictures: Path, known: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "Miller_Anna_1950.png"
    shutil.copy(pictures / "3.png", file)
    found = table(workflow.predict(tiny_run.path, [file], tmp_path / "out").parent)
    own = table(tiny_run.predictions("test"))["image"].to_list()
    assert found["p_1"].to_list() == pytest.approx([known[own.index("test/3")]], abs=1e-6)
    for written in (tmp_path / "out").rglob("*"):
        assert b"Miller" not in written.read_bytes()
    kept = workflow.predict(tiny_run.path, [file], tmp_path / "kept", keep_ids=True)
    assert "Miller_Anna_1950" in kept.read_text()


def test_predictions_are_not_overwritten(tiny_run: Run, pictures: Path, tmp_path: Path) -> None:
    workflow.predict(tiny_run.path, [pictures], tmp_path / "out")
    with pytest.raises(RunError, match="predictions already"):
        workflow.predict(tiny_run.path, [pictures], tmp_path / "out")


def test_unlike_pictures_are_marked(tiny_run: Run, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    plain = np.asarray(Pillow.open(pictures / "0.png"))
    Pillow.fromarray(plain).save(folder / "0.png")
    Pillow.fromarray(np.full_like(plain, 250)).save(folder / "1.png")
    Pillow.fromarray(np.kron(plain, np.ones((10, 10), np.uint8))).save(folder / "2.png")
    Pillow.fromarray(plain.astype(np.uint16) * 200).save(folder / "3.png")
    found = table(workflow.predict(tiny_run.path, [folder], tmp_path / "out").parent)
    said = dict(zip(found["image"], found["unlike"].fill_null(""), strict=True))
    by_number = {int("".join(c for c in name if c.isdigit())): text for name, text in said.items()}
    assert by_number[0] == ""
    assert "median intensity 250" in by_number[1]
    assert "size 120×120" in by_number[2]
    assert "intensity" in by_number[3]
    assert "size" not in by_number[1]


def test_another_modality_is_marked(tiny_run: Run) -> None:
    study = study_of(tiny_run)
    cases = tiny_run.split.cases("test")[:3]
    ranges = Ranges.of(study.catalog, study.cache, tiny_run.split.cases("train"))
    assert ranges.check(study.catalog, study.cache, cases) == ["", "", ""]
    images = study.catalog.images.with_columns(
        modality=pl.when(pl.int_range(pl.len()) >= 0).then(pl.lit("CT"))
    )
    other = replace(study.catalog, images=images)
    assert ranges.check(other, study.cache, cases) == ["modality CT"] * 3


def test_other_channels_and_volumes_are_refused(tiny_run: Run) -> None:
    catalog = tiny_run.catalog
    check_fit(tiny_run, catalog)
    inputs = [
        [{**one, "channel": "flair"} for one in mine] for mine in catalog.cases["inputs"].to_list()
    ]
    cases = catalog.cases.with_columns(
        pl.Series("inputs", inputs, dtype=catalog.cases.schema["inputs"])
    )
    with pytest.raises(InputError, match="have the channels flair"):
        check_fit(tiny_run, replace(catalog, cases=cases))
    deep = catalog.images.with_columns(depth=pl.lit(5, catalog.images.schema["depth"]))
    with pytest.raises(InputError, match="5 slices"):
        check_fit(tiny_run, replace(catalog, images=deep))


def test_what_has_no_label_cannot_be_evaluated(
    tiny_run: Run, pictures: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    with pytest.raises(InputError, match="none of the 10 cases has a label") as caught:
        workflow.evaluate(run.path, pictures, name="other")
    assert "hounsfield predict" in str(caught.value)
    assert not run.predictions("other").exists()
    assert run.evaluations == ("test", "val")


@pytest.mark.parametrize("name", ["test", "val"])
def test_the_runs_own_parts_keep_their_names(name: str, tiny_run: Run, tiny_data: Path) -> None:
    with pytest.raises(InputError, match="names the run's own part"):
        workflow.evaluate(tiny_run.path, tiny_data, name=name)


def test_an_untrained_run_predicts_nothing(tiny_run: Run, pictures: Path, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    run.update(status="training")
    with pytest.raises(RunError, match="not trained to its end") as caught:
        workflow.predict(run.path, [pictures], tmp_path / "out")
    assert "--resume" in str(caught.value)
    assert not (tmp_path / "out").exists()
