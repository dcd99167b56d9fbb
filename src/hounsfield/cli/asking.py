"""The plan's fields as flags, shared by `plan` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from hounsfield.plan.schema import asked_model

if TYPE_CHECKING:
    from pydantic import BaseModel

    Flags = BaseModel | None
else:
    # Every field of the plan is a flag: --training.epochs 3
    FIELDS = Group(
        "The plan's fields",
        help="What is not given is chosen by a rule, from the data and this machine; where there "
        "is none, the default holds. `hounsfield plan DATA` shows both, with the reasons.",
    )
    Flags = Annotated[asked_model() | None, Parameter(name="*", group=FIELDS, negative_bool="no-")]


def asked(flags: BaseModel | None, file: Path | None, short: dict[str, Any]) -> dict[str, Any]:
    """What a plan file, flags and their short forms ask for; the later goes first."""
    from hounsfield.plan.asked import flatten, from_file

    values = from_file(file) if file else {}
    if flags is not None:
        values |= {path: _own(path, value) for path, value in flatten(flags).items()}
    return values | {path: value for path, value in short.items() if value is not None}


def _own(path: str, value: Any) -> Any:
    """The settings of a task or network are words on the command line: 16,32 is a list."""
    if ".settings." not in path or not isinstance(value, str) or "," not in value:
        return value
    return tuple(part.strip() for part in value.strip("[]()").split(","))
