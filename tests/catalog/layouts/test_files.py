"""The fallback: any files in any folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hounsfield.catalog.layouts import files


def test_walks_sorted_without_hidden_and_foreign_files(example: Callable[[str], Path]) -> None:
    entries = list(files.entries(example("files")))
    assert [e.name for e in entries] == ["a/IM0001", "b/1.dcm", "b/2.dcm", "c.nii.gz"]
    assert {(e.patient, e.labels) for e in entries} == {(None, ())}


def test_a_single_file_is_a_root_too(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()  # given by name, it is looked into whatever its suffix
    (entry,) = files.entries(tmp_path / "x.txt")
    assert entry.source.file == tmp_path / "x.txt"


def test_links_in_a_circle_end(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    names = [entry.name for entry in files.entries(tmp_path)]
    assert names == ["a/1.png", "a/b/2.png", "b/2.png", "gone.png"]


def test_each_picture_of_an_npz_is_an_image(tmp_path: Path) -> None:
    pytest.importorskip("hounsfield.formats.numpy_arrays")
    np.savez(tmp_path / "two.npz", a=np.zeros((3, 4)), b=np.zeros((5, 6)))
    assert [e.name for e in files.entries(tmp_path)] == ["two.npz/a", "two.npz/b"]
