"""BraTS: one case a folder, four channels, the names of all years, and what the tables add."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import brats
from hounsfield.catalog.layouts.contract import Label
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source

OLD = ("flair", "t1", "t1ce", "t2", "seg")
NEW = ("t2f", "t1n", "t1c", "t2w", "seg")


def case(make: SimpleNamespace, root: Path, path: str, kinds: tuple[str, ...], end: str) -> None:
    name = path.rpartition("/")[2]
    mark = "-" if kinds[-1] in NEW[:4] or kinds[0] in NEW[:4] else "_"
    make.touch(root, *(f"{path}/{name}{mark}{kind}{end}" for kind in kinds))


def test_a_folder_is_a_case_of_four_channels(example: Callable[[str], Path]) -> None:
    root = example("brats")
    found = list(brats.entries(root))
    home = "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001"
    assert [one.channel for one in found] == ["FLAIR", "T1", "T1ce", "T2"] * 3
    assert found[2].source.paths == (f"{home}/BraTS20_Training_001_t1ce.nii.gz",)
    mask = Source(str(root), (f"{home}/BraTS20_Training_001_seg.nii.gz",))
    assert found[0].labels == (Label("mask", "tumour", mask=mask),)
    assert [len(one.labels) for one in found] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert [one.part for one in found[::4]] == ["train", "train", "val"]
    assert {one.case for one in found[:4]} == {home}


def test_the_one_mask_with_its_hospitals_name(example: Callable[[str], Path]) -> None:
    found = list(brats.entries(example("brats")))
    assert found[4].labels[0].mask is not None
    assert found[4].labels[0].mask.paths[0].endswith("W39_1998.09.19_Segm.nii")


def test_tables_give_the_oldest_name_and_the_clinical_columns(
    example: Callable[[str], Path],
) -> None:
    found = list(brats.entries(example("brats")))[::4]
    assert [(one.patient, one.known) for one in found] == [
        ("Brats17_CBICA_AAB_1", "mapped"),
        ("BraTS20_Training_002", "mapped"),
        ("BraTS20_Validation_001", "mapped"),
    ]
    assert {one.columns["modality"] for one in found} == {"MR"}
    clinical = [{**one.columns} for one in found]
    for columns in clinical:
        del columns["modality"]
    assert clinical == [
        {"grade": "HGG", "age": 60.463, "survival_days": 289, "survival_censored": 0,
         "resection": "GTR"},
        {"grade": "LGG", "age": 52.2, "survival_days": 361, "survival_censored": 1},
        {},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "kinds", "end"),
    [
        (("Brats17TrainingData/HGG/Brats17_TCIA_105_1",), OLD, ".nii.gz"),
        (("Data_Training/LGG/Brats18_2013_0_1", "Data_Training/HGG/Brats18_A_1"), OLD, ".nii.gz"),
        (("BraTS19_CBICA_AAB_1",), OLD, ".nii"),
        (("BraTS2021_Training_Data/BraTS2021_00000",), OLD, ".nii.gz"),
        (("TrainingData/BraTS-GLI-00000-000", "TrainingData/BraTS-MET-00002-001"), NEW, ".nii.gz"),
    ],
)
def test_names_of_all_years(
    make: SimpleNamespace,
    tmp_path: Path,
    paths: tuple[str, ...],
    kinds: tuple[str, ...],
    end: str,
) -> None:
    root = tmp_path / "data"
    for path in paths:
        case(make, root, path, kinds, end)
    assert layouts.recognise(root) == "brats"
    found = list(brats.entries(root))
    assert [one.case for one in found[::4]] == sorted(paths)
    assert [one.channel for one in found[:4]] == ["FLAIR", "T1", "T1ce", "T2"]
    stems = [one.source.paths[0].partition(".")[0].rpartition("/")[2] for one in found[:4]]
    assert [stem[-len(kind) :] for stem, kind in zip(stems, kinds, strict=False)] == [*kinds[:4]]
    assert found[0].part == ("train" if "Training" in paths[0] else None)
    assert bool(found[0].labels)
    grade = next((word for word in ("HGG", "LGG") if word in found[0].source.paths[0]), None)
    assert found[0].columns.get("grade") == grade


def test_time_points_are_one_patient_under_the_oldest_name(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    for name in ("BraTS-GLI-00002-000", "BraTS-GLI-00002-001", "BraTS-GLI-00003-000"):
        case(make, root, name, NEW, ".nii.gz")
    assert [one.patient for one in brats.entries(root)][::4] == [
        "BraTS-GLI-00002", "BraTS-GLI-00002", "BraTS-GLI-00003",
    ]  # fmt: skip
    make.table(
        root / "BraTS21-17_Mapping.csv",
        ("BraTS2023", "BraTS2021", "BraTS2017"),
        ("BraTS-GLI-00002-000", "BraTS2021_00002", "Brats17_TCIA_1_1"),
    )
    assert [one.patient for one in brats.entries(root)][::4] == [
        "Brats17_TCIA_1_1", "Brats17_TCIA_1_1", "BraTS-GLI-00003",
    ]  # fmt: skip


def test_a_case_without_a_contrast_is_left_out_and_told(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    case(make, root, "BraTS2021_00000", OLD, ".nii.gz")
    case(make, root, "BraTS2021_00001", ("flair", "t1", "seg"), ".nii.gz")
    found = list(brats.entries(root))
    assert [(one.case, one.channel) for one in found[4:]] == [
        ("BraTS2021_00001", "T1ce"),
        ("BraTS2021_00001", "T2"),
    ]
    assert found[5].source.paths == ("BraTS2021_00001/BraTS2021_00001_t2.nii.gz",)
    (told,) = brats.noticed(root)
    assert told.severity == "warning"
    assert told.text.startswith("1 case of 2 without all four contrasts (missing: 1 × T1ce, 1 × T2")


def test_a_table_that_names_a_case_twice_or_is_no_table(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    case(make, root, "BraTS20_Training_001", OLD, ".nii.gz")
    path, columns = root / "survival_info.csv", ("Brats20ID", "Age", "Survival_days")
    name = "BraTS20_Training_001"
    make.table(path, columns, (name, 60, 289), (name, 61, 289))
    with pytest.raises(InputError, match="row 3: this case was already given"):
        list(brats.entries(root))
    make.table(path, columns, (name, 60, "soon"))
    with pytest.raises(InputError, match="survival_days is 'soon'"):
        list(brats.entries(root))


def test_other_brain_tumour_sets_are_not_claimed(make: SimpleNamespace, tmp_path: Path) -> None:
    make.touch(tmp_path, "imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz")
    make.touch(tmp_path, "BraTS-MEN-RT-0000-1/BraTS-MEN-RT-0000-1_t1c.nii.gz")
    make.touch(tmp_path, "BraTS20_Training_001/notes.txt")
    assert not brats.recognise(tmp_path)
