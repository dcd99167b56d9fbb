"""What a user asked for: a plan file and flags, as dotted paths to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.plan.resolved import leaves, put
from hounsfield.plan.schema import Plan, asked_model

T = TypeVar("T", bound=BaseModel)
Asked = dict[str, Any]  # dotted path -> value, e.g. {"training.epochs": 3}


def from_values(values: Mapping[str, Any], file: Path | None = None) -> Asked:
    """Dotted paths from a nested mapping, checked against the plan.

    A resolved plan's leaves {value, reason, by} count as their values; defaults that nobody
    changed ask for nothing, so that what is measured later may still replace them.

    Raises:
        UsageError: an unknown field (with the nearest known one), or a value of another type.
    """
    nested = _unreasoned(values, dict(leaves(Plan())))
    try:
        asked = flatten(asked_model().model_validate(nested))
        Plan.model_validate(nest(asked))  # whose fields also have limits
    except ValidationError as error:
        raise _refusal(error, file) from error
    return asked


def from_paths(asked: Mapping[str, Any]) -> Asked:
    """Dotted paths, or a nested mapping, from Python: checked as `from_values` does."""
    return from_values(nest(asked))


def nest(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted paths as a nested mapping."""
    nested: dict[str, Any] = {}
    for path, value in asked.items():
        put(nested, path, value)
    return nested


def from_file(path: Path) -> Asked:
    """A plan.yaml or plan.resolved.yaml."""
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        raise UsageError(
            "the plan cannot be read: there is no such file",
            file=path,
            remedy="check the path for a typing error; `hounsfield plan DATA` writes a plan",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"the plan cannot be read ({why})", file=path, expected="YAML") from error
    if not isinstance(values, dict):
        raise UsageError("the plan is not a mapping", file=path, expected="training: {epochs: 3}")
    return from_values(values, path)


def flatten(checked: BaseModel, prefix: str = "") -> Asked:
    """The fields that are set, by their dotted paths."""
    found: Asked = {}
    for name in type(checked).model_fields:
        value = getattr(checked, name)
        if isinstance(value, BaseModel):
            found |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            found |= {f"{prefix}{name}.{key}": inner for key, inner in value.items()}
        elif value is not None:
            found[f"{prefix}{name}"] = value
    return found


def under(asked: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What was asked below a path, e.g. "model.settings."."""
    return {
        path.removeprefix(prefix): value for path, value in asked.items() if path.startswith(prefix)
    }


def typed(kind: type[T], values: Mapping[str, Any], where: str, of: str) -> T:
    """The own settings of a task or network, whose fields stand in the plan under `where`.

    Raises:
        UsageError: it has no such setting, or a value does not fit.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise unfit(error, kind, where, of) from error


def unfit(error: ValidationError, kind: type[BaseModel], where: str, of: str) -> UsageError:
    """The refusal of a setting of `kind`."""
    first = error.errors()[0]
    field, *_ = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(kind.model_fields)
        return UsageError(
            f"{of} has no setting {where}.{field}",
            remedy=did_you_mean(field, known) if known else f"{of} has no settings",
        )
    wanted = _wanted(first["msg"])
    return UsageError(f"{where}.{field} cannot be {first['input']!r}", expected=wanted)


def _wanted(message: str) -> str:
    """What pydantic wants, without its preamble."""
    plain = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return plain.partition(", unable to")[0].replace("a valid tuple", "a list: 16,32 or [16]")


def _unreasoned(
    values: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = ""
) -> dict[str, Any]:
    """Leaves {value, reason, by} as their values, without the defaults that nobody changed."""
    found: dict[str, Any] = {}
    for key, inner in values.items():
        path = f"{prefix}{key}"
        if not isinstance(inner, Mapping):
            found[key] = inner
        elif not {"value", "by"} <= inner.keys():
            found[key] = _unreasoned(inner, defaults, f"{path}.")
        elif inner["by"] != "default" or inner["value"] != defaults.get(path):
            found[key] = inner["value"]
    return found


def _refusal(error: ValidationError, file: Path | None) -> UsageError:
    """The refusal of a field of the plan: its path, its value, what was expected."""
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    path = ".".join(loc[:3] if "settings" in loc else loc[:2])  # without the tried types' names
    if first["type"] == "extra_forbidden":
        *section, word = [str(part) for part in first["loc"]]
        fields: Any = Plan
        for part in section:
            fields = fields.model_fields[part].annotation
        return UsageError(
            f"the plan has no field {path!r}",
            file=file,
            remedy=did_you_mean(word, fields.model_fields),
        )
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        # Of several fields that do not fit together: the sentence begins with them.
        return UsageError(f"{path}.{_wanted(first['msg'])}", file=file)
    return UsageError(
        f"{path} cannot be {first.get('input')!r}",
        file=file,
        expected=_wanted(first["msg"]),
        remedy="`hounsfield train --help` lists every field with its type",
    )
