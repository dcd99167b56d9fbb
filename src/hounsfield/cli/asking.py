"""The plan's fields as flags, shared by `plan` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hounsfield.plan.schema import asked_model

if TYPE_CHECKING:
    from pydantic import BaseModel

    Flags = BaseModel | None
else:
    # Every field of the plan is a flag: --training.epochs 3
    Flags = Annotated[asked_model() | None, Parameter(name="*", group="The plan's fields")]


def asked(flags: BaseModel | None, file: Path | None, short: dict[str, Any]) -> dict[str, Any]:
    """What a plan file, flags and their short forms ask for; the later goes first."""
    from hounsfield.plan.asked import flatten, from_file

    values = from_file(file) if file else {}
    values |= flatten(flags) if flags is not None else {}
    return values | {path: value for path, value in short.items() if value is not None}
