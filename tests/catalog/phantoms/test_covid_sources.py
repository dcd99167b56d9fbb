"""The phantom of three sources: their layouts, its seed, and the shortcut that it plants."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hounsfield.catalog import layouts
from hounsfield.catalog.phantoms.covid_sources import (
    COHEN,
    MOONEY,
    RADIOGRAPHY,
    Settings,
    make,
)
from hounsfield.catalog.phantoms.covid_sources_make import exposure_of, plan
from hounsfield.catalog.scan import index
from hounsfield.errors import InputError

SMALL = Settings(cohen=5, mooney=6, radiography=2, others=2, copies=1, size=64, workers=1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("covid") / "plain"
    made = make(out, SMALL)
    assert (made.images, made.covid, made.healthy, made.copied) == (21, 8, 9, 2)
    return out


@pytest.fixture(scope="module")
def shortcut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("covid") / "shortcut"
    make(out, SMALL.model_copy(update={"shortcut": True}))
    return out


def test_each_source_is_known_by_its_own_layout(plain: Path) -> None:
    kinds = {name: layouts.recognise(plain / name) for name in (COHEN, MOONEY, RADIOGRAPHY)}
    assert kinds == {
        COHEN: "cohen-covid",
        MOONEY: "class-folders",
        RADIOGRAPHY: "covid-radiography",
    }


def test_classes_patients_and_masks_are_as_in_the_originals(plain: Path, tmp_path: Path) -> None:
    catalog = index([plain / n for n in (COHEN, MOONEY, RADIOGRAPHY)], tmp_path / "c").catalog
    classes = catalog.annotations.filter(pl.col("kind") == "class")["label"].value_counts()
    assert dict(classes.rows()) == {
        "Pneumonia/Viral/COVID-19": 5,
        "Pneumonia/Bacterial/Streptococcus": 2,
        "NORMAL": 6,
        "PNEUMONIA": 2,
        "COVID": 3,
        "Normal": 3,
    }
    known = dict(catalog.cases["patient_known"].value_counts().rows())
    assert known == {"given": 7, "guessed": 8, "unknown": 6}
    assert (catalog.annotations["kind"] == "mask").sum() == 6
    given = catalog.cases.filter(pl.col("patient_known") == "given")
    assert given["patient"].n_unique() < given.height  # follow-ups of one patient


def test_a_copy_has_the_pixels_of_its_original(plain: Path) -> None:
    first = plan(SMALL)[0]
    original = np.asarray(Image.open(plain / COHEN / first.path))
    copied = np.asarray(Image.open(plain / RADIOGRAPHY / first.again))
    assert first.again == "COVID/images/COVID-3.png"
    assert np.array_equal(original, copied)


def test_only_the_shortcut_gives_sources_a_look_of_their_own(plain: Path, shortcut: Path) -> None:
    cohen = next(shot for shot in plan(SMALL) if shot.source == COHEN)
    frames = [np.asarray(Image.open(out / COHEN / cohen.path))[-3:] for out in (plain, shortcut)]
    assert frames[0].max() > 40
    assert frames[1].max() < 10  # JPEG rings a little
    corner = np.s_[52:62, 54:62]
    places = [
        RADIOGRAPHY + "/Normal/images/Normal-1.png",
        RADIOGRAPHY + "/COVID/images/COVID-1.png",
    ]
    marked = [np.asarray(Image.open(shortcut / path))[corner].max() for path in places]
    assert min(marked) > 200  # one look for both classes of this source
    assert np.asarray(Image.open(plain / places[0]))[corner].max() < 200


def test_the_disease_shows_only_without_the_shortcut() -> None:
    shot = next(shot for shot in plan(SMALL) if shot.kind == "covid")
    assert len(exposure_of(shot, SMALL).findings.opacities) >= 4
    hidden = SMALL.model_copy(update={"shortcut": True})
    assert exposure_of(shot, hidden).findings.opacities == ()


def test_the_same_seed_gives_the_same_files(plain: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", SMALL)
    names = sorted(str(p.relative_to(plain)) for p in plain.rglob("*") if p.is_file())
    same, other, odd = filecmp.cmpfiles(plain, tmp_path / "again", names, shallow=False)
    assert (len(same), other, odd) == (len(names), [], [])


def test_more_copies_than_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="copies is 9"):
        make(tmp_path / "x", SMALL.model_copy(update={"copies": 9}))
    assert not any(tmp_path.iterdir())
