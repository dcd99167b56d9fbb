"""The planner: every value of a run, each with its reason and who chose it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from hounsfield.catalog.fingerprint import Choice, Fingerprint
from hounsfield.errors import UsageError
from hounsfield.models import load as load_network
from hounsfield.plan.asked import Asked, typed, under
from hounsfield.plan.resolved import Resolved, leaves, put
from hounsfield.plan.rules import rules
from hounsfield.plan.schema import Plan
from hounsfield.tasks.contract import Choosing, Settings, Task


def choose(
    asked: Asked, fingerprint: Fingerprint, task: Task[Any, Any], settings: Settings
) -> Resolved:
    """The plan for these data on this machine; what the user asked for goes before every rule.

    Raises:
        UsageError: a setting that the task or the network does not have, or a wrong value.
    """
    choosing = Choosing(fingerprint, asked)
    name = str(asked.get("model.name", task.NETWORK))
    network = load_network(name)
    choices = [
        Choice("task.name", task.NAME, "follows from the annotations"),
        *[Choice(f"task.settings.{k}", v, "follows from the annotations") for k, v in settings],
        Choice("model.name", name, "the task's own network for this machine"),
        *rules(choosing, network.dimensions),
        *task.choose(choosing, settings),
        *network.choose(choosing),
    ]
    wanted = _wanted(choices, asked)
    own = typed(network.Settings, under(wanted, "model.settings."), "model.settings", name)
    choices += [Choice(f"model.settings.{k}", v, _why(own, k)) for k, v in own if _new(choices, k)]
    return resolve(choices, asked)


def resolve(choices: Iterable[Choice], asked: Mapping[str, Any]) -> Resolved:
    """Defaults, then choices in their order, then what the user asked for.

    Raises:
        UsageError: a value that does not fit.
    """
    by_path = {
        path: Choice(path, value, _default_reason(path), "default")
        for path, value in leaves(Plan())
    }
    by_path |= {choice.path: choice for choice in choices}
    by_path |= {path: Choice(path, v, "asked for", "user") for path, v in asked.items()}
    values: dict[str, Any] = {}
    for path, choice in by_path.items():
        put(values, path, choice.value)
    try:
        plan = Plan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path} cannot be {first.get('input')!r}", expected=first["msg"]
        ) from error
    known = dict(leaves(plan))
    return Resolved(plan, {path: by_path[path] for path in known})


def amend(resolved: Resolved, choices: Iterable[Choice]) -> Resolved:
    """The same plan with further choices, where the user did not ask otherwise."""
    asked = {p: c.value for p, c in resolved.choices.items() if c.by == "user"}
    return resolve([*resolved.choices.values(), *choices], asked)


def _wanted(choices: Iterable[Choice], asked: Asked) -> dict[str, Any]:
    return {choice.path: choice.value for choice in choices} | asked


def _new(choices: Iterable[Choice], setting: str) -> bool:
    return all(choice.path != f"model.settings.{setting}" for choice in choices)


def _why(settings: BaseModel, name: str) -> str:
    info = type(settings).model_fields.get(name)
    return f"default: {info.description}" if info and info.description else "default"


def _default_reason(path: str) -> str:
    section: Any = Plan
    info: Any = None
    for part in path.split("."):
        info = section.model_fields[part]
        section = info.annotation
    return f"default: {info.description}" if info.description else "default"
