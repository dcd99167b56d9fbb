"""autoPET: one case a study, two channels, and both forms in which it is given out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import autopet
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.phantoms.pet_ct import Settings
from hounsfield.catalog.phantoms.pet_ct import make as phantom
from hounsfield.formats.contract import Source


def told(entry: Entry) -> tuple[object, ...]:
    return entry.patient, entry.known, entry.channel, entry.source.paths[0], len(entry.labels)


def test_a_study_is_a_case_of_suv_and_ct(example: Callable[[str], Path]) -> None:
    root = example("autopet")
    found = list(autopet.entries(root))
    study = "PETCT_01140d52d8/08-13-2005-NA-PET-CT Ganzkoerper-56839"
    assert [told(one) for one in found[2:]] == [
        ("PETCT_01140d52d8", "given", "SUV", f"{study}/SUV.nii.gz", 1),
        ("PETCT_01140d52d8", "given", "CT", f"{study}/CTres.nii.gz", 0),
    ]
    assert found[2].labels == (
        Label("mask", "lesion", mask=Source(str(root), (f"{study}/SEG.nii.gz",))),
    )
    assert {one.case for one in found[2:]} == {study}
    assert not found[0].labels  # this study has no SEG


def test_the_later_challenges_form(make: SimpleNamespace, tmp_path: Path) -> None:
    cases = ("psma_95b833d65be26d2f_2018-04-23", "fdg_01140d52d8_08-13-2005-NA-PET-CT G-56839")
    for case in cases:
        make.touch(tmp_path, f"imagesTr/{case}_0000.nii.gz", f"imagesTr/{case}_0001.nii.gz")
    make.touch(tmp_path, f"labelsTr/{cases[0]}.nii.gz", "dataset.json")
    assert layouts.recognise(tmp_path) == "autopet"
    found = list(autopet.entries(tmp_path))
    assert [told(one) for one in found] == [
        ("01140d52d8", "given", "SUV", f"imagesTr/{cases[1]}_0001.nii.gz", 0),
        ("01140d52d8", "given", "CT", f"imagesTr/{cases[1]}_0000.nii.gz", 0),
        ("95b833d65be26d2f", "given", "SUV", f"imagesTr/{cases[0]}_0001.nii.gz", 1),
        ("95b833d65be26d2f", "given", "CT", f"imagesTr/{cases[0]}_0000.nii.gz", 0),
    ]


def test_other_nnunet_sets_are_not_claimed(make: SimpleNamespace, tmp_path: Path) -> None:
    make.touch(tmp_path, "imagesTr/liver_001_0000.nii.gz", "labelsTr/liver_001.nii.gz")
    assert not autopet.recognise(tmp_path)


def test_the_phantom_becomes_a_catalog_with_both_channels_in_each_case(tmp_path: Path) -> None:
    from hounsfield import workflow

    phantom(tmp_path / "data", Settings(patients=2, voxel=12, form="nifti"))
    catalog = workflow.index(tmp_path / "data", tmp_path / "catalog").catalog
    assert catalog.cases.height == 2
    assert [[one["channel"] for one in row] for row in catalog.cases["inputs"]] == [
        ["SUV", "CT"]
    ] * 2
    assert catalog.cases["patient"].n_unique() == 2
    assert catalog.annotations["kind"].to_list() == ["mask", "mask"]
    assert catalog.images["depth"].n_unique() == 1
