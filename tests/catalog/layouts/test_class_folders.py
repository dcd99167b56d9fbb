"""Class folders: parts, guessed patients, and the folders that are no classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog.layouts import class_folders
from hounsfield.errors import InputError


def test_reads_parts_classes_and_guessed_patients(example: Callable[[str], Path]) -> None:
    found = {e.name: e for e in class_folders.entries(example("class-folders"))}
    assert {(e.part, e.labels[0].label) for e in found.values()} == {
        (part, label) for part in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")
    }
    # The same numbers come in two parts: guesses, so that they warn and do not stop a run.
    train, test = (
        found["train/PNEUMONIA/person23_bacteria_78.jpeg"],
        found["Test/PNEUMONIA/person23_virus_1.jpeg"],
    )
    assert (train.patient, train.known) == (test.patient, test.known) == ("person23", "guessed")
    assert (train.part, test.part) == ("train", "test")
    assert found["train/PNEUMONIA/odd.jpeg"].known == "unknown"


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person23_bacteria_78.jpeg", "person23"),
        ("person1_virus_6.jpeg", "person1"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0115-0001-0002.jpeg", "IM-0115"),
        ("NORMAL2-IM-1427-0001.jpeg", "IM-1427"),
        ("BACTERIA-1008087-0001.jpeg", "1008087"),
        ("CNV-53018-12.jpeg", "53018"),
        ("sub-07_T1w.nii.gz", "sub-07"),
        ("patient12.dcm", "patient12"),
        ("IMG_20200131.png", None),
        ("0001.png", None),
        ("personal.png", None),
    ],
)
def test_guesses_patients_from_known_names(name: str, patient: str | None) -> None:
    assert class_folders.guess_patient(name) == patient


def test_classes_may_be_numbers_without_parts(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, *(f"{c}/{i}.png" for c in "01" for i in range(3)), "0/notes.csv")
    assert class_folders.recognise(tmp_path)
    entries = list(class_folders.entries(tmp_path))
    assert [e.labels[0].label for e in entries] == ["0", "0", "0", "1", "1", "1"]
    assert {e.part for e in entries} == {None}


@pytest.mark.parametrize("spelling", ["validation", "VALID", "val"])
def test_parts_have_several_spellings(spelling: str, tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "Training/A/1.png", "Training/B/1.png", f"{spelling}/A/2.png")
    assert {e.part for e in class_folders.entries(tmp_path)} == {"train", "val"}


@pytest.mark.parametrize(
    "names",
    [
        ["1.2.840.113619.2.1", "1.2.840.113619.2.2"],
        ["patient1", "patient2"],
        ["LIDC-IDRI-0001", "LIDC-IDRI-0002"],
        ["sub-01", "sub-02"],
        ["SE1", "SE2"],
        ["images", "masks"],
        ["imagesTr", "labelsTr", "imagesTs"],
        ["only"],
    ],
)
def test_patients_series_and_kinds_of_files_are_no_classes(
    names: list[str], tmp_path: Path, make: SimpleNamespace
) -> None:
    make.touch(tmp_path, *(f"{name}/{i}.dcm" for name in names for i in range(9)))
    assert not class_folders.recognise(tmp_path)


def test_few_files_or_many_folders_are_no_classes(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path / "few", "cat/1.png", "dog/1.png")
    make.touch(tmp_path / "many", *(f"x{chr(97 + i // 26)}{chr(97 + i % 26)}/{j}.png"
                                    for i in range(51) for j in range(2)))  # fmt: skip
    make.touch(tmp_path / "mixed", *(f"{c}/{i}.png" for c in "ab" for i in range(5)),
               "docs/a.txt", "code/b.txt")  # fmt: skip
    for name in ("few", "many", "mixed"):
        assert not class_folders.recognise(tmp_path / name), name


def test_links_that_lead_back_are_no_classes(tmp_path: Path, make: SimpleNamespace) -> None:
    data = tmp_path / "data"
    make.touch(data, *(f"{c}/{i}.png" for c in ("ill", "well") for i in range(2)))
    make.touch(tmp_path, "elsewhere/5.png", "0.png", "1.png")
    (data / "loop").symlink_to("..")
    (data / "self").symlink_to(data)
    (data / "linked").symlink_to(tmp_path / "elsewhere")  # data sets are often made of links
    (tmp_path / "elsewhere" / "back").symlink_to(data)
    assert [entry.name for entry in class_folders.entries(data)] == [
        "ill/0.png", "ill/1.png", "linked/5.png", "well/0.png", "well/1.png",
    ]  # fmt: skip


def test_a_class_without_images_is_told(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, *(f"{c}/{i}.png" for c in ("a", "b", "c", "d") for i in range(2)))
    assert class_folders.noticed(tmp_path) == []
    for name in ("blurred", "deep/er", "masks", "patient 7", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    assert class_folders.recognise(tmp_path)
    (one,) = class_folders.noticed(tmp_path)
    assert (one.severity, one.text) == ("warning", "2 class folders blurred, deep have no images")


def test_so_is_one_in_a_part(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "train/ill/1.png", "train/well/2.png", "val/well/3.png", "other/4.txt")
    (tmp_path / "val/ill").mkdir()
    (one,) = class_folders.noticed(tmp_path)
    assert one.text == "class folder val/ill has no images"


def test_a_class_that_training_lacks_is_refused(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "train/NORMAL/1.png", "train/SICK/1.png", "test/Normal/1.png")
    with pytest.raises(InputError, match="'Normal' is not in the training part") as caught:
        list(class_folders.entries(tmp_path))
    assert caught.value.expected == "one of NORMAL, SICK"
