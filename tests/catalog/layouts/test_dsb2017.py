"""Data Science Bowl 2017: one patient a folder, labels from tables, the official test part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ct_series import write_series

from hounsfield import workflow
from hounsfield.catalog.layouts import dsb2017
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.errors import InputError


def told(entry: Entry) -> tuple[object, ...]:
    return entry.source.paths[0], entry.patient, entry.known, entry.part, entry.labels


def test_files_carry_their_patient_and_its_label(example: Callable[[str], Path]) -> None:
    root = example("dsb2017")
    found = list(dsb2017.entries(root))
    cancer, none = Label("class", "cancer", "cancer"), Label("class", "cancer", "no cancer")
    assert [told(one) for one in found] == [
        ("stage1/0015ceb8/0a1b.dcm", "0015ceb8", "given", "train", (cancer,)),
        ("stage1/0015ceb8/ff27.dcm", "0015ceb8", "given", "train", (cancer,)),
        ("stage1/0030a160/0a1b.dcm", "0030a160", "given", "test", ()),
        ("stage1/0030a160/ff27.dcm", "0030a160", "given", "test", ()),
        ("stage1/0092c13f/0a1b.dcm", "0092c13f", "given", None, ()),
        ("stage1/0092c13f/ff27.dcm", "0092c13f", "given", None, ()),
        ("stage1/00edff4f", "00edff4f", "given", "train", (none,)),  # there is no such folder
    ]
    (finding,) = dsb2017.noticed(root)
    assert finding.text.startswith("1 patient in no table")


def test_a_solution_labels_the_test_part(
    example: Callable[[str], Path], make: SimpleNamespace
) -> None:
    root = example("dsb2017")
    solution = root / "stage1_solution.csv"
    make.table(solution, ("id", "cancer", "Usage"), ("0030a160", 0, "Public"))
    make.touch(root, "stage2/0acb/1.dcm")
    make.table(root / "stage2_sample_submission.csv", ("id", "cancer"), ("0acb", 0.5))
    found = list(dsb2017.entries(root))
    none = Label("class", "cancer", "no cancer")
    assert told(found[2])[2:] == ("given", "test", (none,))
    assert told(found[-1]) == ("stage2/0acb/1.dcm", "0acb", "given", "test", ())


@pytest.mark.parametrize(
    ("table", "rows", "message"),
    [
        ("labels", [("a", 2)], "row 2: cancer is '2'"),
        ("labels", [("a", 1), ("a", 0)], "row 3: this patient was already given"),
        ("solution", [("0015ceb8", 1)], "row 2: this patient was already given"),
    ],
)
def test_tables_that_contradict_are_refused(
    example: Callable[[str], Path],
    make: SimpleNamespace,
    table: str,
    rows: list[tuple[object, ...]],
    message: str,
) -> None:
    root = example("dsb2017")
    make.table(root / f"stage1_{table}.csv", ("id", "cancer"), *rows)
    with pytest.raises(InputError, match=message):
        list(dsb2017.entries(root))


def test_the_bowl_of_2018_is_not_claimed(make: SimpleNamespace, tmp_path: Path) -> None:
    make.touch(tmp_path, "stage1_train/a/images/a.png")
    make.table(tmp_path / "stage1_train_labels.csv", ("ImageId", "EncodedPixels"), ("a", "1 2"))
    assert not dsb2017.recognise(tmp_path)


@pytest.fixture
def bowl(tmp_path: Path, make: SimpleNamespace) -> Path:
    """Four patients: sound, of the test part, with a slice missing, with two series."""
    root = tmp_path / "bowl"
    for patient, along in (("0a15", [0, 2, 4, 6]), ("0b30", [0, 2, 4]), ("0c92", [0, 2, 6, 8])):
        write_series(root / "stage1" / patient, patient, [float(mm) for mm in along])
    for along in ([0.0, 3.0, 6.0, 9.0], [20.0, 21.0]):
        write_series(root / "stage1" / "0daa" / f"{len(along)}", "0daa", along)
    labels = [("0a15", 1), ("0c92", 1), ("0daa", 0)]
    make.table(root / "stage1_labels.csv", ("id", "cancer"), *labels)
    make.table(root / "stage1_sample_submission.csv", ("id", "cancer"), ("0b30", 0.5))
    return root


def test_slices_become_one_image_a_series_with_one_label(bowl: Path, tmp_path: Path) -> None:
    made = workflow.index(bowl, tmp_path / "catalog", workers=0)
    cases, images = made.catalog.cases, made.catalog.images
    assert sorted(images["depth"]) == [2, 3, 4, 4]
    assert images["patient"].n_unique() == 3
    assert images["patient_known"].unique().to_list() == ["given"]
    labels = dict(made.catalog.annotations.select("case", "label").iter_rows())
    assert sorted(labels.values()) == ["cancer", "no cancer", "no cancer"]
    assert dict(zip(cases["part"], images["depth"], strict=True))["test"] == 3
    assert made.rejected["reason"].to_list() == [
        "1 slice is missing between 2.00 and 6.00 mm (step 2.000 mm)"
    ]
    again = workflow.index(bowl, tmp_path / "catalog", workers=0)
    assert (again.read, again.unchanged) == (0, 17)
    assert again.catalog.images.equals(images)
    assert again.rejected.equals(made.rejected)


def test_a_catalogs_volume_is_read_in_its_order(bowl: Path, tmp_path: Path) -> None:
    catalog = workflow.index(bowl, tmp_path / "catalog", workers=0).catalog
    image = workflow.read_case(catalog, catalog.cases["case"][0])
    np.testing.assert_array_equal(image.array[0, :, 0, 0], [0, 1, 2, 3])
    assert image.channels[0].unit == "HU"
