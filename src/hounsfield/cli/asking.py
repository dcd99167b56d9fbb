"""The plan's fields as flags, shared by `plan` and `train`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from hounsfield.plan.schema import Plan, Settings

FIELDS = Group(
    "The plan's fields",
    help="What is not given is chosen by a rule, from the data and this machine; where there "
    "is none, the default holds. `hounsfield plan DATA` shows both, with the reasons.",
)


def _flags() -> Any:
    """The plan as dataclasses whose fields are all optional.

    Not pydantic's: for the help of a model, cyclopts parses the source of all its base classes.
    """
    sections = [
        (name, _section(name, info.annotation) | None, None)
        for name, info in Plan.model_fields.items()
    ]
    return make_dataclass("Fields", sections, namespace={"__module__": ""})


def _section(name: str, section: Any) -> Any:
    found = [
        (field, Annotated[_type(info.annotation), Parameter(help=_help(info))], None)
        for field, info in section.model_fields.items()
    ]
    return make_dataclass(name, found, namespace={"__module__": ""})


def _type(kind: Any) -> Any:
    return (dict[str, str] if kind == Settings else kind) | None


def _help(info: Any) -> str:
    default = "" if info.is_required() else info.get_default(call_default_factory=True)
    if isinstance(default, tuple):
        default = " ".join(str(value) for value in default)
    shown = f"[default: {default}]" if default not in ("", None, {}) else ""
    return " ".join(filter(None, (info.description, shown)))


if TYPE_CHECKING:
    Flags = Any
else:
    # Every field of the plan is a flag: --training.epochs 3
    Flags = Annotated[_flags() | None, Parameter(name="*", group=FIELDS, negative_bool="no-")]


def asked(flags: Any, file: Path | None, short: dict[str, Any]) -> dict[str, Any]:
    """What a plan file, flags and their short forms ask for; the later goes first."""
    from hounsfield.plan.asked import from_file

    values = from_file(file) if file else {}
    values |= dict(_given(flags))
    return values | {path: value for path, value in short.items() if value is not None}


def _given(flags: Any) -> Iterator[tuple[str, Any]]:
    """The fields that are set, by their dotted paths."""
    sections = (
        [] if flags is None else [(one.name, getattr(flags, one.name)) for one in fields(flags)]
    )
    for name, section in sections:
        for field in fields(section) if section is not None else ():
            value = getattr(section, field.name)
            if isinstance(value, dict):
                for key, word in value.items():  # stem-stride, as all flags are written
                    yield f"{name}.{field.name}.{key.replace('-', '_')}", _listed(word)
            elif value is not None:
                yield f"{name}.{field.name}", apart(value)


def _listed(word: str) -> str | tuple[str, ...]:
    """The settings of a task or network are words on the command line: 16,32 and [16] are lists."""
    inner = word.strip().strip("[]()")
    if inner == word.strip() and "," not in word:
        return word
    return tuple(part.strip() for part in inner.split(",") if part.strip())


def apart(value: Any) -> Any:
    """A flag of several words takes them with spaces or commas between: age,sex is two."""
    if not (isinstance(value, tuple) and all(isinstance(word, str) for word in value)):
        return value
    return tuple(part.strip() for word in value for part in word.split(",") if part.strip())
