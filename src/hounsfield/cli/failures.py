"""From an error to a message and an exit code."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from hounsfield.errors import HounsfieldError, StorageError, UsageError

if TYPE_CHECKING:
    from cyclopts import CycloptsError
    from pydantic import BaseModel, ValidationError
    from rich.text import Text

# What Ctrl-C leaves, by command
STOPPED = {
    "train": "nothing is lost: what was finished is kept. The run goes on with `hounsfield train "
    "--resume RUN`",
    "index": "nothing is lost: the same command goes on where it stopped",
}
STOPPED_OTHERS = "no half-written file was left; run the command again"
M = TypeVar("M", bound="BaseModel")
INTERRUPTED, TERMINATED = 130, 143  # 128 + the signal's number, as shells say it


@dataclass
class Outcome:
    """The exit code; 0 unless something went wrong."""

    code: int = 0


@contextmanager
def explained(command: str = "") -> Iterator[Outcome]:
    """Refusals become a few lines on stderr; a fault of our own keeps its traceback."""
    outcome = Outcome()
    try:
        with _terminable(outcome):
            yield outcome
    except HounsfieldError as error:
        _print("Error", str(error))
        outcome.code = error.exit_code
    except KeyboardInterrupt:
        _print("Stopped", STOPPED.get(command, STOPPED_OTHERS))
        outcome.code = outcome.code or INTERRUPTED
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        refusal = _refused_by_the_system(error)
        _print("Error", str(refusal))
        outcome.code = refusal.exit_code


def _refused_by_the_system(error: OSError) -> HounsfieldError:
    """A full disk, or a file that may not be read or written: which of them is not known here."""
    from hounsfield.files import FULL, storage_error

    path = Path(str(error.filename or "."))
    if error.errno in FULL:
        return storage_error(error, path)
    return StorageError(
        f"cannot be used ({error.strerror or error})",
        file=path,
        remedy="check that it is there and that you may read it, and write where you want to",
    )


@contextmanager
def _terminable(outcome: Outcome) -> Iterator[None]:
    """SIGTERM ends a command like Ctrl-C, so that nothing is lost."""
    if threading.current_thread() is not threading.main_thread():  # signals reach that one only
        yield
        return

    def terminate(*_: object) -> None:
        outcome.code = TERMINATED
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refused(error: CycloptsError) -> Text:
    """A command line that does not fit, as our other refusals read."""
    from pydantic import ValidationError

    cause = error.__cause__  # settings of another type
    text = str(unfit(cause)) if isinstance(cause, ValidationError) else str(error)
    return _message("Error", text)


def converted(kind: Any, values: Any) -> Any:
    """Words of the command line as cyclopts turns them; but 2.5 is no whole number.

    cyclopts would round it.
    """
    from cyclopts import CoercionError, convert

    kinds = _kinds(kind)
    for token in values if Path in kinds else ():
        if not token.value:  # it would be the current folder
            raise UsageError("no path was given", expected="the name of a file or a folder")
    for token in values if int in kinds - {float} else ():
        if re.fullmatch(r"[-+]?\d*\.\d*[1-9]\d*", token.value):
            raise CoercionError(token=token, target_type=int)
    return convert(kind, values)


def _kinds(kind: Any) -> set[Any]:
    """What a type is made of: int of tuple[int, int] | None."""
    parts = [_kinds(part) for part in get_args(kind)]
    return set[Any]().union(*parts) or {kind}


def checked(kind: type[M], **values: Any) -> M:
    """Flags as the settings they stand for.

    Raises:
        UsageError: one is not within its limits.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise unfit(error) from error


def unfit(error: ValidationError) -> UsageError:
    """The refusal of a flag whose value does not fit."""
    first = error.errors()[0]
    flag = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
    return UsageError(
        f"{flag} cannot be {first['input']}",
        expected=first["msg"].removeprefix("Input should be ").partition(", unable to")[0],
        remedy="the command's --help lists every flag with its type",
    )


def _print(title: str, text: str) -> None:
    from rich.console import Console

    message = _message(title, text)
    Console(file=sys.stderr, soft_wrap=True, highlight=False).print(message)


def _message(title: str, text: str) -> Text:
    from rich.text import Text

    colour = "yellow" if title == "Stopped" else "red"
    return Text.assemble((f"{title}: ", f"bold {colour}"), text)
