"""A plan with every value and every reason, as it lies beside the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from hounsfield.catalog.fingerprint import Choice
from hounsfield.errors import RunError
from hounsfield.plan.schema import Plan

MEASURED = (  # the epochs by the budget, when the speed is known
    "preprocessing.mean",
    "preprocessing.std",
    "training.precision",
    "training.memory_format",
    "training.compile",
    "training.epochs",
    "task.settings.centre",  # where the task has them: the unit of numbers
    "task.settings.scale",
)
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where it is


@dataclass(frozen=True, eq=False)
class Resolved:
    """The plan, and for each value's path the choice that made it."""

    plan: Plan
    choices: Mapping[str, Choice]

    def dump(self, without: Collection[str] = ()) -> str:
        """YAML: each leaf is {value, reason, by, evidence}; some paths can be left out."""
        tree: dict[str, Any] = {}
        for path, value in leaves(self.plan):
            if path in without:
                continue
            choice = self.choices[path]
            leaf = {"value": value, "reason": choice.reason, "by": choice.by}
            leaf |= {"evidence": choice.evidence} if choice.evidence else {}
            put(tree, path, leaf)
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)

    def draft(self) -> str:
        """The plan as a user may edit it and train from it.

        What is measured before the first step is left out, but where it was asked for: in a
        plan that is trained from, it would stand as the user's own choice.
        """
        there = [path for path in MEASURED if path in self.choices]
        still = [path for path in there if self.choices[path].by != "user"]
        head = f"# Measured before the first step, unless you set it here: {', '.join(still)}\n"
        return (head if still else "") + self.dump(still)

    @classmethod
    def load(cls, path: Path) -> Resolved:
        """Read what `dump` wrote.

        Raises:
            RunError: the file is missing, or a value does not fit the plan.
        """
        try:
            tree = yaml.load(path.read_text(), LOADER)  # noqa: S506  (safe, both)
            choices = {choice.path: choice for choice in _choices(tree)}
            values: dict[str, Any] = {}
            for key, choice in choices.items():
                put(values, key, choice.value)
            return cls(Plan.model_validate(values), choices)
        except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"the resolved plan cannot be read ({type(error).__name__})",
                file=path,
                expected="the file as hounsfield wrote it: it is not to be edited",
                remedy="restore it from a copy, or train again with --overwrite",
            ) from error


def leaves(model: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    """The plan's values by their dotted paths, as plain values; `settings` are opened too."""
    found: list[tuple[str, Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        path = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            found += leaves(value, f"{path}.")
        elif isinstance(value, dict):
            found += [(f"{path}.{key}", plain(inner)) for key, inner in value.items()]
        else:
            found.append((path, plain(value)))
    return found


def plain(value: Any) -> Any:
    """A value as YAML holds it."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set tree[a][b][c] for the path "a.b.c"."""
    *parents, last = path.split(".")
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _choices(tree: dict[str, Any], prefix: str = "") -> list[Choice]:
    if {"value", "reason", "by"} <= tree.keys():
        return [Choice(prefix[:-1], **tree)]
    return [choice for key, inner in tree.items() for choice in _choices(inner, f"{prefix}{key}.")]
