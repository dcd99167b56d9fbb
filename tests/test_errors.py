"""The errors a user sees: four parts, one exit code, whole across processes."""

from __future__ import annotations

import pickle

import pytest

from hounsfield import errors
from hounsfield.cli.failures import INTERRUPTED, explained
from hounsfield.errors import HounsfieldError, did_you_mean

KINDS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, HounsfieldError)
]
CODES = {
    "HounsfieldError": 1,
    "UsageError": 2,
    "InputError": 3,
    "FormatError": 3,
    "GeometryError": 3,
    "LeakError": 3,
    "RunError": 4,
    "StorageError": 5,
    "MissingExtraError": 6,
}


def test_every_kind_has_its_exit_code() -> None:
    assert {kind.__name__: kind.exit_code for kind in KINDS} == CODES


def test_a_message_says_what_where_and_what_to_do() -> None:
    error = errors.InputError("is torn", file="a.dcm", expected="whole pixels", remedy="copy it")
    assert str(error) == "a.dcm: is torn\nExpected: whole pixels\nWhat to do: copy it"
    assert str(errors.InputError("is torn")) == "is torn"


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_processes_whole(kind: type[HounsfieldError]) -> None:
    error = kind("is torn", file="a.dcm", expected="b", remedy="c")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.file, again.remedy) == (str(error), "a.dcm", "c")


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("epoch", ["epochs", "batch"]).startswith("did you mean 'epochs'?")
    assert did_you_mean("zzz", ["epochs", "batch"]) == "Known: batch, epochs"


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_shows_no_traceback(
    kind: type[HounsfieldError], capfd: pytest.CaptureFixture[str]
) -> None:
    with explained() as outcome:
        raise kind("is [torn]", file="a.dcm", remedy="copy it")
    assert outcome.code == kind.exit_code
    said = capfd.readouterr()
    assert said.err == "Error: a.dcm: is [torn]\nWhat to do: copy it\n"
    assert said.out == ""


def test_ctrl_c_a_full_disk_and_our_own_faults(capfd: pytest.CaptureFixture[str]) -> None:
    for command, told in (("train", "--resume RUN"), ("index", "the same command"), ("n4", "half")):
        with explained(command) as outcome:
            raise KeyboardInterrupt
        assert outcome.code == INTERRUPTED
        said = capfd.readouterr().err
        assert told in said
        assert ("--resume" in said) == (command == "train")
    with explained() as outcome:
        raise OSError(28, "No space left on device", "file")
    assert outcome.code == 5
    assert "the disk is full" in capfd.readouterr().err
    with explained() as outcome:
        raise PermissionError(13, "Permission denied", "file")
    assert outcome.code == 5
    assert "cannot be used (Permission denied)" in capfd.readouterr().err
    with pytest.raises(ZeroDivisionError), explained():
        raise ZeroDivisionError
