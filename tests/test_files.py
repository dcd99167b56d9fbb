"""Files appear whole or not at all, and a disk that refuses is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hounsfield import formats
from hounsfield.errors import StorageError, UsageError
from hounsfield.files import refuse_existing, storage_error, whole_file, whole_path, write_text
from hounsfield.geometry import Patient
from hounsfield.image import Image


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
    assert "run the same command again" in str(error)
    assert "train" not in str(error)  # whose own refusal says how a run goes on


def test_a_full_disk_is_named_through_what_libraries_make_of_it() -> None:
    wrapped = OSError("With tag (7FE0,0010) got exception: [Errno 28] No space left on device\nT")
    assert "the disk is full" in str(storage_error(wrapped, Path("file")))
    wrapped = OSError("4096 requested and 1000 written")
    wrapped.__context__ = OSError(28, "No space left on device")
    assert "the disk is full" in str(storage_error(wrapped, Path("file")))
    other = str(
        storage_error(OSError("a driver said\nTraceback (most recent call last)"), Path("f"))
    )
    assert "(a driver said)" in other
    assert "Traceback" not in other


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Lets the kernel refuse what a file is longer than."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [300, 20_000])
@pytest.mark.parametrize(
    "suffix",
    ["npy", "mnc", "nii", "nii.gz", "hdr", "nrrd", "nhdr", "mha", "mhd", "mgz", "tif", "png"],
)
def test_every_format_says_that_the_disk_is_full(
    suffix: str, size: int, small_files: Callable[[int], None], tmp_path: Path
) -> None:
    shape = (1, 1, 200, 200) if suffix in ("tif", "png") else (1, 20, 50, 50)
    noise = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    image = Image(noise, None if suffix in ("tif", "png") else Patient(np.eye(4)))
    small_files(size)
    with pytest.raises(StorageError, match="the disk is full"):
        formats.write(image, tmp_path / f"x.{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_a_phantom_says_that_the_disk_is_full(
    size: int, small_files: Callable[[int], None], tmp_path: Path
) -> None:
    from hounsfield.catalog.phantoms import chest_xray

    small_files(size)
    with pytest.raises(StorageError) as caught:
        chest_xray.make(tmp_path / "out", chest_xray.Settings(patients=1, size=512, workers=1))
    assert caught.value.problem == "the disk is full"
    assert "Traceback" not in str(caught.value)
    assert not list(tmp_path.iterdir())


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
