"""ChestX-ray14: fourteen values, official lists, odd ages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog.layouts import nih_chestxray14 as nih
from hounsfield.errors import InputError


@pytest.fixture
def root(example: Callable[[str], Path]) -> Path:
    return example("nih-chestxray14")


def test_findings_become_values(root: Path) -> None:
    first, none, hernia, untold = nih.entries(root)
    values = {one.name: one.value for one in first.labels}
    assert list(values) == list(nih.FINDINGS)
    assert len(values) == 14
    assert [name for name, value in values.items() if value] == ["Cardiomegaly", "Emphysema"]
    assert [one.value for one in none.labels] == [0.0] * 14
    assert [one.name for one in hernia.labels if one.value] == ["Hernia"]
    assert untold.labels == ()


def test_patients_parts_and_facts(root: Path) -> None:
    first, second, third, fourth = nih.entries(root)
    assert (first.patient, second.patient, third.patient) == ("1", "1", "2")
    assert {one.known for one in (first, second, third)} == {"given"}
    assert [one.part for one in (first, second, third, fourth)] == ["train", "train", "test", None]
    assert dict(first.columns) == {"sex": "M", "age": 58.0, "view": "PA"}
    assert second.columns["age"] == 58.0
    assert third.columns["age"] is None  # 413 years
    assert first.source.paths == ("images_001/images/00000001_000.png",)
    assert third.source.file.exists()
    assert not second.source.file.exists()


def test_one_folder_of_images_and_kaggles_sample(tmp_path: Path, make: SimpleNamespace) -> None:
    head = ("Image Index", "Finding Labels", "Patient ID", "Patient Age")
    row = ("00000013_005.png", "Mass|Nodule", "00000013", "060Y")
    for name, place in (("sample_labels.csv", "sample/images"), ("Data_Entry_2017.csv", "images")):
        folder = tmp_path / place.replace("/", "-")
        make.touch(folder, f"{place}/00000013_005.png")
        make.table(folder / name, head, row)
        (found,) = nih.entries(folder)
        assert found.source.file.exists()
        assert found.columns["age"] == 60


def test_what_contradicts_is_refused(root: Path, make: SimpleNamespace) -> None:
    (root / "test_list.txt").write_text("00000001_000.png\n")
    with pytest.raises(InputError, match="stands in the other one"):
        list(nih.entries(root))
    head = ("Image Index", "Finding Labels", "Patient ID")
    table = root / "Data_Entry_2017_v2020.csv"
    (root / "test_list.txt").unlink()
    make.table(table, head, ("a.png", "Masses", 1))
    with pytest.raises(InputError, match="an unknown finding 'Masses'"):
        list(nih.entries(root))
    make.table(table, head, ("a.png", "Mass", 1), ("a.png", "Mass", 1))
    with pytest.raises(InputError, match="the image of row 2 again"):
        list(nih.entries(root))
    make.table(table, head, ("../../a.png", "Mass", 1))
    with pytest.raises(InputError, match="outside"):
        list(nih.entries(root))
