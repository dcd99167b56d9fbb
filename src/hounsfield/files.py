"""Files that appear whole, on disk, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hounsfield.errors import InputError, StorageError, UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_path(path: Path, *, suffix: str = ".part", private: bool = False) -> Iterator[Path]:
    """A path beside `path` to fill; afterwards it takes its place in one step.

    `suffix` is for writers that look at it. A private file is its owner's alone (0600).

    Raises:
        StorageError: the disk is full, or the folder cannot be written to.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{suffix}")
        # The user's umask has its say in the mode of what is not private.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if private:
            part.chmod(0o600)  # a writer may have made the file anew
        part.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, that takes its place at `path` in one step; as `whole_path`."""
    with whole_path(path) as part, part.open("wb") as file:
        yield file


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to fill, renamed at the end; nothing remains of a broken attempt.

    Raises:
        InputError: `out` is a file, or a folder that is not empty.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "the folder to write to is not empty" if out.is_dir() else "this is a file",
            file=out,
            expected="a folder that is new or empty",
            remedy="name another folder, or delete this one",
        )
    work = out.parent / f".{out.name}.part-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        yield work
        if out.is_dir():
            out.rmdir()  # it is empty
        work.rename(out)
    except OSError as error:
        raise storage_error(error, out) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """A text file, whole or not at all."""
    with whole_path(path, private=private) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def refuse_existing(paths: Iterable[Path | None], *, overwrite: bool) -> None:
    """Refuse, before anything is read, to write where something is; None is not written.

    Raises:
        UsageError: a file is there already, or one is named twice.
    """
    wanted = [path for path in paths if path is not None]
    for number, path in enumerate(wanted):
        if path.is_dir():
            raise UsageError("is a folder", file=path, expected="the name of a file to write")
        if path.exists() and not overwrite:
            raise UsageError("exists already", file=path, remedy="--overwrite replaces it")
        if path.absolute() in {other.absolute() for other in wanted[:number]}:
            raise UsageError("is to hold two results", file=path, remedy="give each its own name")


def storage_error(error: OSError, path: Path) -> StorageError:
    """The sentence for a disk that refuses."""
    if _says_full(error):
        return StorageError(
            "the disk is full",
            file=path,
            remedy="free some space and run the same command again; nothing half-written was left",
        )
    reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
    return StorageError(
        f"cannot be written ({reason})",
        file=path,
        expected="a folder that can be written to",
        remedy="check the folder's permissions, or choose another with --out",
    )


def _says_full(error: BaseException | None) -> bool:
    """Is a full disk the cause? Libraries wrap it; out of another process only words come."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if any(os.strerror(number) in str(error) for number in FULL):
        return True
    return _says_full(error.__cause__ or error.__context__)
