"""The RSNA challenge: boxes, patients from the mapping, and tables that contradict themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog.layouts import rsna_pneumonia
from hounsfield.catalog.layouts.contract import Label
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source

HEADER = ("patientId", "x", "y", "width", "height", "Target")


@pytest.fixture
def root(example: Callable[[str], Path]) -> Path:
    return example("rsna-pneumonia")


def test_reads_classes_boxes_masks_patients_and_parts(root: Path) -> None:
    first, second, third = rsna_pneumonia.entries(root)
    assert first.name.startswith("aaaaaaaa")
    assert first.labels == (
        Label("class", "pneumonia", "pneumonia"),
        Label("class", "finding", "Lung Opacity"),
        Label("box", "opacity", "opacity", box=(264.0, 152.0, 477.0, 531.0)),
        Label("box", "opacity", "opacity", box=(562.0, 152.0, 818.0, 605.0)),
        Label("mask", "lung", mask=Source(str(root), (f"lung_masks/{first.name}.png",))),
    )
    assert [label.label for label in second.labels] == [
        "no pneumonia",
        "No Lung Opacity / Not Normal",
    ]
    assert [(e.patient, e.known) for e in (first, second, third)] == [
        ("13249", "mapped"),
        ("13249", "mapped"),
        (None, "unknown"),
    ]
    assert [entry.part for entry in (first, second, third)] == ["train", None, "test"]


def test_without_its_optional_files_nothing_is_guessed(root: Path) -> None:
    for name in (rsna_pneumonia.MAPPING, "official_split.csv", "stage_2_detailed_class_info.csv"):
        (root / name).unlink()
    entries = list(rsna_pneumonia.entries(root))
    assert {entry.known for entry in entries} == {"unknown"}
    assert [label.name for label in entries[1].labels] == ["pneumonia"]
    assert not rsna_pneumonia.TRUST_HEADER_PATIENT


def test_the_first_stage_has_other_names(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "stage_1_train_images/x.dcm")
    make.table(tmp_path / "stage_1_train_labels.csv", HEADER, ("x", "", "", "", "", 0))
    assert rsna_pneumonia.recognise(tmp_path)
    (entry,) = rsna_pneumonia.entries(tmp_path)
    assert entry.source.paths == ("stage_1_train_images/x.dcm",)


def test_images_without_a_row_and_rows_without_an_image_are_kept(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    make.touch(tmp_path, "stage_2_train_images/b.dcm")
    make.table(tmp_path / "stage_2_train_labels.csv", HEADER, ("a", "", "", "", "", 0))
    missing, unlabelled = rsna_pneumonia.entries(tmp_path)
    assert (missing.name, len(missing.labels)) == ("a", 1)
    assert not missing.source.file.exists()  # the scan sets it aside
    assert (unlabelled.name, unlabelled.labels) == ("b", ())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "", "", "", "", 2)], "row 2: Target is '2'"),
        ([("a", "", "", "", "", "")], "row 2: Target is ''"),
        ([("b", "", "", "", "", 0), ("a", 1, 1, 5, 5, 0)], "row 3: a box where Target is 0"),
        ([("a", 1, 1, 5, "wide", 1)], "row 2: height is 'wide'"),
        ([("a", 1, 1, 5, "", 1)], "row 2: not a box"),
        ([("a", 1, 1, 5, -5, 1)], "row 2: not a box"),
        ([("a", 1, 1, 5, "inf", 1)], "row 2: height is 'inf'"),
        ([("a", "", "", "", "", 0), ("a", 1, 1, 5, 5, 1)], "row 3: Target differs"),
        ([("a", "", "", "", "", 0)] * 2, "row 3: this row was already given"),
        ([("a", 1, 1, 5, 5, 1)] * 2, "row 3: this row was already given"),
        ([("../../a", "", "", "", "", 0)], "a file outside of this folder"),
        ([("a", 1)], "row 2: 2 cells"),
    ],
)
def test_a_bad_row_is_named(
    rows: list[tuple[object, ...]], message: str, tmp_path: Path, make: SimpleNamespace
) -> None:
    make.touch(tmp_path, "stage_2_train_images/a.dcm")
    make.table(tmp_path / "stage_2_train_labels.csv", HEADER, *rows)
    with pytest.raises(InputError, match=r"row|outside") as caught:
        list(rsna_pneumonia.entries(tmp_path))
    assert message in caught.value.problem


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        (
            "stage_2_detailed_class_info.csv",
            [("patientId", "class"), ("a", "Opacity")],
            "row 2: class is 'Opacity'",
        ),
        (
            "stage_2_detailed_class_info.csv",
            [("patientId", "class"), ("a", "Normal"), ("a", "Lung Opacity")],
            "row 3: class differs",
        ),
        (
            "official_split.csv",
            [("patientId", "part"), ("a", "tarin")],
            "row 2: part is 'tarin'",
        ),
        (
            "official_split.csv",
            [("patientId", "part"), ("a", "train"), ("a", "test")],
            "row 3: this image was already given a part",
        ),
        ("official_split.csv", [("patientId", "where")], "no column 'part'"),
    ],
)
def test_bad_further_tables(
    name: str, rows: list[tuple[str, str]], message: str, root: Path, make: SimpleNamespace
) -> None:
    make.table(root / name, *rows)
    with pytest.raises(InputError) as caught:
        list(rsna_pneumonia.entries(root))
    assert message in caught.value.problem


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"img_id": "1_0.png"}]', '[{"subset_img_id": "a", "img_id": "Smith"}]']
)
def test_a_broken_mapping_is_refused_without_its_content(text: str, root: Path) -> None:
    (root / rsna_pneumonia.MAPPING).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="mapping") as caught:
        list(rsna_pneumonia.entries(root))
    assert "Smith" not in str(caught.value)
