"""Files appear whole or not at all, and a disk that refuses is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hounsfield.errors import StorageError, UsageError
from hounsfield.files import refuse_existing, storage_error, whole_file, whole_path, write_text


def _torn(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"new, but not all of")
        raise ZeroDivisionError


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        _torn(path)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    with whole_file(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_a_private_file_is_its_owners_and_others_obey_the_umask(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            write_text(tmp_path / "key", "secret", private=True)
            write_text(tmp_path / "table", "open")
        finally:
            os.umask(before)
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "table").stat().st_mode & 0o777 == mode


def test_a_suffix_is_kept_for_writers_that_look_at_it(tmp_path: Path) -> None:
    with whole_path(tmp_path / "picture.png", suffix=".png") as part:
        assert part.suffix == ".png"
        part.write_bytes(b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        write_text(tmp_path / "file" / "below", "text")
    assert caught.value.remedy
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("number", [28, 122, 27])  # ENOSPC, EDQUOT, EFBIG
def test_a_full_disk_is_named(number: int) -> None:
    error = storage_error(OSError(number, os.strerror(number)), Path("file"))
    assert "the disk is full" in str(error)
    assert "--resume" in str(error)


def test_another_refusal_is_named() -> None:
    error = storage_error(PermissionError(13, "Permission denied"), Path("file"))
    assert "Permission denied" in str(error)
    assert "--out" in str(error)


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    there, new = tmp_path / "there.csv", tmp_path / "new.csv"
    there.touch()
    refuse_existing((new, None), overwrite=False)
    refuse_existing((there, new), overwrite=True)
    with pytest.raises(UsageError, match=r"there\.csv: exists already[\s\S]*--overwrite"):
        refuse_existing((new, there), overwrite=False)
    with pytest.raises(UsageError, match="folder"):
        refuse_existing((tmp_path,), overwrite=True)
    with pytest.raises(UsageError, match="two results"):
        refuse_existing((new, tmp_path / "." / "new.csv"), overwrite=True)
