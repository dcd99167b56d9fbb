"""The run folder: who may write it, what is refused, what damage says."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hounsfield.errors import HounsfieldError, RunError, StorageError
from hounsfield.run import PARTS, VERSION, Run


@pytest.fixture
def copy(tiny_run: Run, tmp_path: Path) -> Run:
    """A finished run that may be spoilt."""
    return Run(shutil.copytree(tiny_run.path, tmp_path / "run"))


def test_a_new_run_is_planned(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "deep" / "run")
    assert run.status == "planned"
    assert run.state == {"version": VERSION, "status": "planned"}
    assert "planned" in repr(run)
    assert "planned" in run._repr_html_()
    assert Run.create(_made(tmp_path / "empty")).status == "planned"


def test_a_run_is_not_overwritten_unasked(copy: Run) -> None:
    before = _files(copy.path)
    with pytest.raises(RunError, match="there is a run already") as caught:
        Run.create(copy.path)
    assert "--overwrite" in str(caught.value)
    assert _files(copy.path) == before


def test_overwriting_deletes_what_a_run_writes_and_nothing_else(copy: Run) -> None:
    (copy.path / "notes.txt").write_text("mine")
    run = Run.create(copy.path, overwrite=True)
    assert run.status == "planned"
    assert sorted(p.name for p in copy.path.iterdir()) == ["notes.txt", "run.json"]
    assert {p.name for p in copy.path.iterdir() if p.is_file()} - set(PARTS) == {"notes.txt"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["letter.txt", "run.json"])
def test_a_foreign_folder_is_never_deleted(name: str, overwrite: bool, tmp_path: Path) -> None:
    file = _made(tmp_path / "folder") / name
    file.write_text('{"name": "another program"}')
    with pytest.raises(RunError):
        Run.create(file.parent, overwrite=overwrite)
    assert file.read_text() == '{"name": "another program"}'
    assert list(file.parent.iterdir()) == [file]


def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text("mine")
    with pytest.raises(RunError, match="exists and is not a run"):
        Run.create(file, overwrite=True)
    assert file.read_text() == "mine"


def test_a_newer_version_is_refused(copy: Run) -> None:
    (copy.path / "run.json").write_text(json.dumps({**copy.state, "version": VERSION + 1}))
    with pytest.raises(RunError, match="newer hounsfield") as caught:
        Run(copy.path)
    assert "upgrade" in str(caught.value)


def test_a_second_writer_is_refused_with_the_pid(copy: Run) -> None:
    with copy.locked():
        for second in (Run(copy.path).locked(), Run(copy.path).locked()):
            with pytest.raises(RunError, match=f"process {os.getpid()} is writing"), second:
                pass
        with pytest.raises(RunError, match="is writing"):
            Run.create(copy.path, overwrite=True)
        assert copy.status == "finished"
    with Run(copy.path).locked():
        pass


def test_the_lock_goes_with_an_error(copy: Run) -> None:
    with pytest.raises(ZeroDivisionError), copy.locked():
        raise ZeroDivisionError
    with copy.locked():
        pass


def test_what_a_killed_writer_left_is_swept(copy: Run) -> None:
    left = copy.members[0].path / ".checkpoint-a1b2.part"
    left.write_bytes(b"half")
    with copy.locked():
        assert not left.exists()


@pytest.mark.parametrize("missing", ["", "nowhere"])
def test_what_is_no_run(missing: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder") as caught:
        Run(tmp_path / missing)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"version": "1", "status": "planned"}'])
def test_a_damaged_state_is_told(text: str, copy: Run) -> None:
    (copy.path / "run.json").write_text(text)
    with pytest.raises(RunError, match="missing or damaged") as caught:
        Run(copy.path)
    assert caught.value.file == copy.path / "run.json"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("plan.resolved.yaml", lambda run: run.resolved),
        ("calibration.json", lambda run: run.calibration),
        ("data/fingerprint.json", lambda run: run.fingerprint),
        ("data/findings.json", lambda run: run.findings),
        ("data/cases.parquet", lambda run: run.catalog),
        ("data/split.parquet", lambda run: run.split),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\x00\xff nothing of ours"])
def test_damaged_files_are_told(name: str, read: object, content: bytes, copy: Run) -> None:
    assert callable(read)
    read(copy)
    (copy.path / name).write_bytes(content)
    with pytest.raises(HounsfieldError) as caught:
        read(copy)
    assert str(caught.value.file).endswith(name)
    assert caught.value.remedy


# Writing


def test_a_folder_without_permission(tmp_path: Path) -> None:
    closed = _made(tmp_path / "closed")
    closed.chmod(0o500)
    with _nobody(), pytest.raises(StorageError, match="cannot be written") as caught:
        Run.create(closed / "run")
    assert "--out" in str(caught.value)
    assert caught.value.exit_code == 5
    assert not list(closed.iterdir())


def test_a_run_without_permission_cannot_be_locked(copy: Run, tmp_path: Path) -> None:
    (copy.path / "lock").unlink(missing_ok=True)
    copy.path.chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with _nobody(), pytest.raises(StorageError), copy.locked():
        pass
    copy.path.chmod(0o755)


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        Run.create(tmp_path / "file" / "run")
    assert caught.value.remedy


# What a finished run shows


def test_a_finished_run_tells_its_parts(tiny_run: Run) -> None:
    assert [member.name for member in tiny_run.members] == ["f0-s0"]
    assert tiny_run.members[0].trained
    assert tiny_run.evaluations == ("test", "val")
    assert tiny_run.report().is_file()
    html = tiny_run._repr_html_()
    assert "classification" in html
    assert "report.html" in html
    assert not list(tiny_run.path.rglob("*.part"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextmanager
def _nobody() -> Iterator[None]:
    """Root may write everywhere; nobody may not."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
