"""Pictures as rows of a CSV, and the built-in digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hounsfield.catalog import builtin, layouts
from hounsfield.catalog.layouts import kaggle_digits
from hounsfield.errors import InputError, StorageError, UsageError
from hounsfield.formats import pixel_csv


def test_labelled_rows_come_and_unlabelled_ones_by_name(example: Callable[[str], Path]) -> None:
    root = example("kaggle-digits")
    entries = list(kaggle_digits.entries(root))
    assert [(e.name, e.source.member, e.labels[0].label) for e in entries] == [
        ("0", "0", "7"),
        ("1", "1", "0"),
    ]
    assert {e.part for e in entries} == {None}
    (test,) = kaggle_digits.entries(root / "test.csv")
    assert test.labels == ()


def test_two_labelled_files_are_parts(tmp_path: Path, make: SimpleNamespace) -> None:
    for part in ("train", "test"):
        header = ("label", *(f"pixel{i}" for i in range(1, 5)))
        make.table(tmp_path / f"sign_mnist_{part}.csv", header, (3, 0, 0, 0, 0))
    assert [(e.part, e.name) for e in kaggle_digits.entries(tmp_path)] == [
        ("test", "sign_mnist_test/0"),
        ("train", "sign_mnist_train/0"),
    ]


@pytest.mark.parametrize("label", ["", "seven", "-1", "1.5"])
def test_a_label_that_is_no_number_is_named(
    label: str, tmp_path: Path, make: SimpleNamespace
) -> None:
    make.table(tmp_path / "train.csv", ("label", "pixel0", "pixel1"), (1, 0, 0), (label, 0, 0))
    with pytest.raises(InputError, match="row 3: label is"):
        list(kaggle_digits.entries(tmp_path))


def test_the_builtin_digits_are_scikit_learns(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    path = builtin.materialise("dataset:digits", tmp_path / "new")
    assert layouts.recognise(path) == "kaggle-digits"
    entries = list(kaggle_digits.entries(path))
    labels = [int(e.labels[0].label or -1) for e in entries]
    assert Counter(labels) == Counter(digits.target.tolist())
    for row in (0, 17, 1796):
        image = pixel_csv.read(entries[row].source)
        assert np.array_equal(image.array[0, 0], digits.images[row])
        assert labels[row] == digits.target[row]


def test_builtin_data_is_written_once_and_unknown_names_are_refused(tmp_path: Path) -> None:
    path = builtin.materialise("digits", tmp_path)
    path.write_text("kept", encoding="ascii")
    assert builtin.materialise("digits", tmp_path).read_text(encoding="ascii") == "kept"
    with pytest.raises(UsageError, match="did you mean 'digits'"):
        builtin.materialise("dataset:digit", tmp_path)
    with pytest.raises(StorageError, match="cannot be written"):
        builtin.materialise("digits", path)  # a file where a folder should be
