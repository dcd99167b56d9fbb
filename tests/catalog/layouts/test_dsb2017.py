"""Data Science Bowl 2017: one patient a folder, labels from tables, the official test part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

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
