"""ISIC, APTOS and Kvasir: skin, retina and gut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import aptos, isic, kvasir
from hounsfield.errors import InputError

Example = Callable[[str], Path]


def labels(entry: object) -> list[tuple[str, str | None]]:
    return [(one.name, one.label) for one in entry.labels]  # type: ignore[attr-defined]


def test_isic_joins_truth_and_metadata(example: Example) -> None:
    first, second, third, fourth = isic.entries(example("isic"))
    assert [labels(one) for one in (first, second, third)] == [
        [("diagnosis", "MEL")],
        [("diagnosis", "NV")],
        [("diagnosis", "NV")],
    ]
    assert first.source.paths == ("ISIC_2019_Training_Input/ISIC_0000001.jpg",)
    assert (first.patient, first.known) == (second.patient, "guessed")  # two pictures of a lesion
    assert (third.patient, third.known) == (None, "unknown")
    assert dict(first.columns) == {"sex": "female", "age": 55.0, "site": "anterior torso"}
    assert dict(second.columns) == {"sex": None, "age": None, "site": None}
    assert fourth.name == "ISIC_0000004_downsampled"
    assert not fourth.source.file.exists()  # listed: the scan sets it aside
    assert {one.part for one in (first, second, third, fourth)} == {None}


def test_isic_2018_has_parts(tmp_path: Path, make: SimpleNamespace) -> None:
    for n, part in enumerate(("Training", "Validation", "Test")):
        make.touch(tmp_path, f"ISIC2018_Task3_{part}_Input/ISIC_002430{n}.jpg")
        folder = f"ISIC2018_Task3_{part}_GroundTruth"
        head, row = ("image", "MEL", "NV", "AKIEC"), (f"ISIC_002430{n}", 0.0, 0.0, 1.0)
        make.table(tmp_path / folder / f"{folder}.csv", head, row)
    make.table(
        tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv",
        ("image", "lesion_id", "diagnosis_confirm_type"),
        ("ISIC_0024300", "HAM_1", "histopathology"),
    )
    assert layouts.recognise(tmp_path) == "isic"
    found = list(isic.entries(tmp_path))
    assert [one.part for one in found] == ["train", "val", "test"]
    assert [one.patient for one in found] == ["HAM_1", None, None]
    assert labels(found[0]) == [("diagnosis", "AKIEC")]


def test_isic_2020_learns_malignancy_by_patient(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "jpeg/train/ISIC_2637011.jpg", "train/ISIC_2637011.dcm")
    names = ("image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge")
    make.table(
        tmp_path / "train.csv",
        (*names, "diagnosis", "benign_malignant", "target"),
        ("ISIC_2637011", "IP_7279968", "male", 45, "head/neck", "unknown", "benign", 0),
        ("ISIC_2637012", "IP_7279968", "male", 45, "torso", "melanoma", "malignant", 1),
    )
    make.table(tmp_path / "test.csv", names, ("ISIC_2637019", "IP_1", "male", 45, ""))
    assert layouts.recognise(tmp_path) == "isic"
    mole, cancer = isic.entries(tmp_path)
    assert mole.source.paths == ("jpeg/train/ISIC_2637011.jpg",)
    assert (mole.patient, mole.known) == ("IP_7279968", "given")
    assert labels(mole) == [("malignancy", "benign")]
    assert labels(cancer) == [("malignancy", "malignant"), ("diagnosis", "melanoma")]


def test_the_archives_export_and_ham10000(tmp_path: Path, make: SimpleNamespace) -> None:
    archive, ham = tmp_path / "archive", tmp_path / "ham"
    make.touch(archive, "ISIC_0000001.JPG")
    make.table(
        archive / "metadata.csv",
        ("isic_id", "attribution", "age_approx", "diagnosis_1", "diagnosis_3", "patient_id"),
        ("ISIC_0000001", "A hospital", 45, "Benign", "Nevus", "IP_1"),
    )
    make.touch(ham, "HAM10000_images_part_2/ISIC_0027419.jpg")
    make.table(
        ham / "HAM10000_metadata.csv",
        ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"),
        ("HAM_0000118", "ISIC_0027419", "bkl", "histo", "80.0", "male", "scalp"),
    )
    (own,), (other,) = isic.entries(archive), isic.entries(ham)
    assert labels(own) == [("diagnosis", "Nevus"), ("malignancy", "benign")]
    assert own.source.file.exists()
    assert labels(other) == [("diagnosis", "bkl")]
    assert (other.patient, other.known, other.columns["age"]) == ("HAM_0000118", "guessed", 80)


@pytest.mark.parametrize(
    ("row", "problem"),
    [(("ISIC_0000001", 1, 1), "2 classes are 1"), (("ISIC_0000001", 0, 0), "0 classes are 1")],
)
def test_isic_rows_that_are_no_class(
    tmp_path: Path, make: SimpleNamespace, row: tuple[object, ...], problem: str
) -> None:
    make.table(tmp_path / "truth.csv", ("image", "MEL", "NV"), row)
    with pytest.raises(InputError, match=f"row 2: {problem}"):
        list(isic.entries(tmp_path))


def test_isic_tables_that_contradict(tmp_path: Path, make: SimpleNamespace) -> None:
    make.table(tmp_path / "a.csv", ("image", "MEL", "NV"), ("ISIC_0000001", 1, 0))
    make.table(tmp_path / "b.csv", ("image", "MEL", "NV"), ("ISIC_0000001", 0, 1))
    with pytest.raises(InputError, match="another class"):
        list(isic.entries(tmp_path))


def test_aptos_grades(example: Example) -> None:
    found = list(aptos.entries(example("aptos")))
    assert [labels(one) for one in found] == [[("diagnosis", grade)] for grade in "240"]
    assert found[0].source.paths == ("train_images/000c1434d8d7.png",)
    assert [one.source.file.exists() for one in found] == [True, True, False]
    assert {one.part for one in found} == {None}


def test_aptos_with_parts(tmp_path: Path, make: SimpleNamespace) -> None:
    for part, table in (("train", "train_1"), ("val", "valid"), ("test", "test")):
        make.touch(tmp_path, f"{part}_images/{part}_images/{part}0.png")
        make.table(tmp_path / f"{table}.csv", ("id_code", "diagnosis"), (f"{part}0", 1))
    assert layouts.recognise(tmp_path) == "aptos"
    found = {one.name: one for one in aptos.entries(tmp_path)}
    assert {name: one.part for name, one in found.items()} == {
        "train0": "train",
        "val0": "val",
        "test0": "test",
    }
    assert all(one.source.file.exists() for one in found.values())


def test_aptos_grades_that_are_none(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "train_images/a.png")
    make.table(tmp_path / "train.csv", ("id_code", "diagnosis"), ("a", 5))
    with pytest.raises(InputError, match="diagnosis is '5'"):
        list(aptos.entries(tmp_path))


def test_kvasir_classes(example: Example) -> None:
    found = list(kvasir.entries(example("kvasir")))
    assert [labels(one)[0][1] for one in found[::2]] == ["esophagitis", "normal-cecum", "polyps"]
    assert all(one.source.file.exists() and one.patient is None for one in found)
