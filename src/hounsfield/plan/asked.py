"""What a user asked for: a plan file and flags, as dotted paths to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.plan.schema import Plan, asked_model

Asked = dict[str, Any]  # dotted path -> value, e.g. {"training.epochs": 3}


def from_values(values: Mapping[str, Any], file: Path | None = None) -> Asked:
    """Dotted paths from a nested mapping, checked against the plan.

    A resolved plan's leaves {value, reason, by} count as their values.

    Raises:
        UsageError: an unknown field (with the nearest known one), or a value of another type.
    """
    nested = _unreasoned(values)
    try:
        checked = asked_model().model_validate(nested)
    except ValidationError as error:
        raise _refusal(error, file) from error
    return flatten(checked)


def from_file(path: Path) -> Asked:
    """A plan.yaml or plan.resolved.yaml."""
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"the plan cannot be read ({error})", file=path, expected="YAML"
        ) from error
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


def _unreasoned(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: inner["value"]
        if isinstance(inner, Mapping) and {"value", "by"} <= inner.keys()
        else _unreasoned(inner)
        if isinstance(inner, Mapping)
        else inner
        for key, inner in values.items()
    }


def _refusal(error: ValidationError, file: Path | None) -> UsageError:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
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
    return UsageError(
        f"{path} cannot be {first.get('input')!r}",
        file=file,
        expected=first["msg"],
        remedy="`hounsfield train --help` lists every field with its type",
    )
