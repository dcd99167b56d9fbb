"""Walking goes on beside what cannot be read, and tells it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hounsfield import formats
from hounsfield.catalog import layouts
from hounsfield.catalog.scan import index
from hounsfield.errors import FormatError, InputError
from hounsfield.folders import passed_over, walk
from hounsfield.formats.folder import contents

Shut = Callable[[Path], None]


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Shut:
    """Takes the permission for a folder away, also from whoever may do everything."""

    def close(closed: Path) -> None:
        scandir, stat, exists = os.scandir, os.stat, os.path.exists

        def refuse(path: Any, *, inner: bool) -> None:
            there = Path(os.fspath(path))
            if closed in there.parents or (there == closed and not inner):
                raise PermissionError(13, "Permission denied", str(path))

        def scandir_(path: Any = ".") -> Any:
            refuse(path, inner=False)
            return scandir(path)

        def stat_(path: Any, *args: Any, **named: Any) -> Any:
            if not isinstance(path, int):
                refuse(path, inner=True)
            return stat(path, *args, **named)

        def exists_(path: Any) -> bool:
            return closed not in Path(path).parents and exists(path)

        monkeypatch.setattr(os, "scandir", scandir_)
        monkeypatch.setattr(os, "stat", stat_)
        monkeypatch.setattr(os.path, "exists", exists_)

    return close


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a_open", "m_shut", "z_open"):
        folder = tmp_path / "tree" / name
        folder.mkdir(parents=True)
        np.save(folder / "1.npy", np.full((4, 5), ord(name[0]), np.uint8))
    return tmp_path / "tree"


def test_a_closed_folder_does_not_close_the_others(tree: Path, shut: Shut) -> None:
    shut(tree / "m_shut")
    assert list(walk(tree, files_only=True)) == ["a_open/1.npy", "z_open/1.npy"]
    assert list(walk(tree)) == ["a_open/1.npy", "m_shut", "z_open/1.npy"]
    found = contents(tree)
    assert [one.file.parent.name for one in found.sources] == ["a_open", "z_open"]
    assert [(file.name, error.problem) for file, error in found.bad] == [
        ("m_shut", "no permission to open this folder")
    ]


def test_a_closed_root_is_told(tree: Path, shut: Shut) -> None:
    shut(tree)
    found = contents(tree)
    assert [(file, error.problem) for file, error in found.bad] == [
        (tree, "no permission to open this folder")
    ]
    with pytest.raises(FormatError, match="no permission to open this folder"):
        formats.read(tree)
    with pytest.raises(InputError, match=r"the folder cannot be opened \(Permission denied\)"):
        layouts.recognise(tree)


def test_the_index_lists_a_closed_folder_once(tree: Path, shut: Shut, tmp_path: Path) -> None:
    shut(tree / "m_shut")
    made = index([tree], tmp_path / "catalog")
    assert made.catalog.images.height == 2
    assert made.rejected["reason"].to_list() == ["the folder cannot be listed (Permission denied)"]


def test_pipes_and_sockets_are_not_opened(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe.dcm")
    (tree / "link.dcm").symlink_to(tree / "pipe.dcm")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tree)  # a socket's path must be short
        try:
            server.bind("socket")
        finally:
            os.chdir(tmp_path)
        names = ["link.dcm", "pipe.dcm", "socket"]
        for name in (*names, "/dev/zero"):
            with pytest.raises(FormatError, match="no ordinary file"):
                formats.read(tree / name)
        found = contents(tree)
        assert len(found.sources) == 3
        assert sorted(file.name for file, _ in found.others) == names
        assert sorted(path for path, _ in passed_over(tree)) == names
        made = index([tree], tmp_path / "catalog")
        assert made.catalog.images.height == 3
        assert made.rejected.height == 3


def test_a_name_that_is_no_utf8_is_set_aside(tree: Path, tmp_path: Path) -> None:
    np.save(tree / "a_open" / os.fsdecode(b"\xff\xfe.npy"), np.zeros((4, 5), np.uint8))
    (tree / os.fsdecode(b"\xfd")).mkdir()
    np.save(tree / os.fsdecode(b"\xfd") / "1.npy", np.ones((4, 5), np.uint8))
    made = index([tree], tmp_path / "catalog")
    assert made.catalog.images.height == 3
    assert made.rejected["reason"].to_list() == ["its name is not UTF-8: rename it"] * 2
    assert (tmp_path / "catalog" / "rejected.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("nothing", ["", None, 3, b"x.npy"])
def test_no_path_is_no_folder(nothing: Any) -> None:
    from hounsfield.errors import UsageError

    for ask in (formats.read, formats.find, formats.header, formats.sniff, formats.open):
        with pytest.raises(UsageError, match=r"no path was given|a path cannot be"):
            ask(nothing)


def test_a_null_byte_in_a_name_is_refused() -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        formats.read("a\0b.npy")
