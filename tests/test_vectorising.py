"""From a data set to scikit-learn by `hounsfield vectorise`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from folders import class_folders, picture

from hounsfield import workflow
from hounsfield.cli import main
from hounsfield.errors import InputError, UsageError
from hounsfield.preprocessing import matrix
from hounsfield.preprocessing.vectorise import Histogram, Patches, Pixels
from hounsfield.workflow.vectorising import vectorise


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the digits."""
    out = tmp_path_factory.mktemp("digits") / "catalog"
    workflow.index("dataset:digits", out)
    return out


def test_a_classifier_learns_from_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupShuffleSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    out = tmp_path / "digits.npz"
    assert main(["vectorise", "dataset:digits", str(out)]) == 0
    assert "1,797 rows of 64 features" in capfd.readouterr().out
    with np.load(out, allow_pickle=False) as made:
        X, y, patients = made["X"], made["label"], made["patient"]
    assert np.array_equal(X, load_digits().data)  # in its own order
    assert np.array_equal(y.astype(int), load_digits().target)
    train, test = next(GroupShuffleSplit(1, random_state=0).split(X, y, patients))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    assert model.fit(X[train], y[train]).score(X[test], y[test]) > 0.9


def test_both_formats_say_the_same_in_any_number_of_batches(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Patches((4, 4), (2, 4))
    whole = vectorise(digits, tmp_path / "whole.npz", how)
    assert (whole.rows, whole.columns, whole.aside) == (1797 * 3 * 2, 16, ())
    monkeypatch.setattr(matrix, "BATCH_BYTES", 4 * 16 * 1000)
    vectorise(digits, tmp_path / "parts.npz", how)
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    vectorise(digits, tmp_path / "parts.parquet", how)
    table = pl.read_parquet(tmp_path / "parts.parquet")
    with np.load(tmp_path / "whole.npz", allow_pickle=False) as made:
        assert np.array_equal(table["X"].to_numpy(), made["X"])
        for name in ("id", "patient", "label", "z", "y", "x"):
            assert np.array_equal(table[name].to_numpy(), made[name]), name
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "parts.npz",
        "parts.parquet",
        "whole.npz",
    ]


def test_a_folder_of_several_sizes_and_a_damaged_file(tmp_path: Path) -> None:
    data, out = class_folders(tmp_path / "data", 6), tmp_path / "out"
    picture(data / "ill" / "7.png", 1, (30, 24))
    with pytest.raises(InputError, match="2 different sizes"):
        vectorise(data, out / "a.npz", Pixels())
    made = vectorise(data, out / "b.npz", Pixels((8, 8)))
    assert (made.rows, made.columns) == (7, 64)
    file = data / "well" / "2.png"
    file.write_bytes(file.read_bytes()[:-60])
    made = vectorise(data, out / "c.parquet", Histogram(8))
    assert (made.rows, len(made.aside)) == (6, 1)
    table = pl.read_parquet(out / "c.parquet")
    assert table["label"].to_list().count("well") == 2
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_refusals_leave_nothing(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "there.npz").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        vectorise(digits, tmp_path / "there.npz", Pixels())
    with pytest.raises(UsageError, match=r"the suffix '\.csv'"):
        vectorise(digits, tmp_path / "x.csv", Pixels())
    with pytest.raises(InputError, match=r"none of 1,797 images gave .*: a patch of 9 × 9"):
        vectorise(digits, tmp_path / "x.npz", Patches((9, 9)))
    assert [path.name for path in tmp_path.iterdir()] == ["there.npz"]
    vectorise(digits, tmp_path / "there.npz", Pixels(), overwrite=True)
    with np.load(tmp_path / "there.npz") as made:
        assert made["X"].shape == (1797, 64)


def test_names_stay_hidden(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", 2)
    picture(data / "ill" / "mustermann_xanthippe.png", 1)
    vectorise(data, tmp_path / "x.npz", Pixels())
    assert b"mustermann" not in (tmp_path / "x.npz").read_bytes()
    assert "mustermann".encode("utf-32-le") not in (tmp_path / "x.npz").read_bytes()
    vectorise(data, tmp_path / "y.npz", Pixels(), keep_ids=True)
    assert "mustermann".encode("utf-32-le") in (tmp_path / "y.npz").read_bytes()


def test_a_case_without_all_contrasts_does_not_set_the_others_aside(tmp_path: Path) -> None:
    """The first case decides how many columns there are: it must be a whole one."""
    from hounsfield.catalog.phantoms.pet_ct import Settings, make

    make(tmp_path / "data", Settings(patients=3, voxel=12, form="nifti", counts=0))
    next(iter(sorted((tmp_path / "data").rglob("CTres.nii.gz")))).unlink()
    made = vectorise(tmp_path / "data", tmp_path / "m.npz", Histogram(4, (0, 10)))
    assert (made.rows, made.columns) == (2, 8)
    assert [reason for _, reason in made.aside] == ["the case lacks CT, which others have"]
