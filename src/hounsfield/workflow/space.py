"""What a search may change: fields of the plan, each with a range or a list of values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.plan.schema import Plan

STRENGTH = "augmentation.strength"  # no field of the plan: it multiplies all of the section
VARIED = ("rotate", "scale", "stretch", "shift", "brightness", "contrast", "gamma", "noise", "blur")
BELOW_ONE = ("scale", "stretch", "shift", "contrast", "gamma")
# What is measured, on what, and by whom: a search that could change it would not compare.
FIXED = ("task.", "data.", "audit.", "evaluation.", "training.seed", "training.folds")
FORM = "training.learning_rate: [0.0001, 0.01, log], training.batch: {among: [16, 32]}"


@dataclass(frozen=True)
class Range:
    """Numbers from low to high; whole ones where both ends are."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Among:
    """One of these values; a list among them is stored as its JSON."""

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.values


Space = dict[str, Range | Among]


def default_space(plan: Plan, networks: Sequence[str], cases: int) -> Space:
    """Around the plan that the rules made: the numbers that most often decide.

    `cases` is the size of the training part, which bounds the batch.
    """
    rate, batch = plan.training.learning_rate, plan.training.batch
    found: Space = {
        "training.learning_rate": Range(_short(rate / 8), _short(rate * 8), log=True),
        "training.weight_decay": Range(1e-4, 0.3, log=True),
        STRENGTH: Among((0.0, 0.5, 1.0, 1.5)),
    }
    sizes = [size for size in (batch // 2, batch, batch * 2) if 2 <= size <= max(2, cases // 2)]
    found["training.batch"] = Among(tuple(sizes or [batch]))
    if any("dropout" in _settings_of(name) for name in (*networks, plan.model.name)):
        found["model.settings.dropout"] = Range(0.0, 0.6)
    if networks:
        found["model.name"] = Among(tuple(networks))
    return found


def read_space(path: Path) -> Space:
    """A space from YAML: field: [low, high], [low, high, log], or a list of values.

    Two numbers are a range; two numbers to choose from stand as {among: [16, 32]}.

    Raises:
        UsageError: no mapping, no such field, an empty or falling range, or a field that says
            what is measured and on what.
    """
    import yaml

    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"the space cannot be read ({why})", file=path, expected=FORM) from error
    if not isinstance(read, dict) or not read:
        raise UsageError("the space is no mapping of fields", file=path, expected=FORM)
    return {str(field): _dimension(str(field), given, path) for field, given in read.items()}


def networks_in(space: Space) -> tuple[str, ...]:
    """The networks that a space chooses from."""
    names = space.get("model.name")
    return tuple(map(str, names.values)) if isinstance(names, Among) else ()


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """What an Optuna trial draws; a network's own setting is drawn where the network has it."""
    drawn: dict[str, Any] = {}
    for field, one in sorted(space.items(), key=lambda pair: pair[0] != "model.name"):
        network = drawn.get("model.name")
        setting = field.removeprefix("model.settings.")
        if network and setting != field and setting not in _settings_of(network):
            continue
        if isinstance(one, Among):
            drawn[field] = _decoded(trial.suggest_categorical(field, _encoded(one.values)))
        elif one.whole:
            drawn[field] = trial.suggest_int(field, one.low, one.high, log=one.log)
        else:
            drawn[field] = _short(trial.suggest_float(field, one.low, one.high, log=one.log))
    return drawn


def as_asked(drawn: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Drawn values as fields of the plan: the strength multiplies what `plan` augments by."""
    asked = {field: value for field, value in drawn.items() if field != STRENGTH}
    strength = drawn.get(STRENGTH, 1.0)
    for name in VARIED if strength != 1.0 else ():
        most = 0.95 if name in BELOW_ONE else 180.0 if name == "rotate" else math.inf
        value = min(_short(strength * getattr(plan.augmentation, name)), most)
        asked.setdefault(f"augmentation.{name}", value)
    return asked


def own_values(space: Space, plan: Plan) -> dict[str, Any] | None:
    """The plan's own values as a first trial draws them; None where one lies outside."""
    from hounsfield.plan.resolved import leaves

    known = {**dict(leaves(plan)), STRENGTH: 1.0}
    if any(field not in known or known[field] not in one for field, one in space.items()):
        return None
    return {field: _encoded((known[field],))[0] for field in space}


def described(space: Space) -> dict[str, Any]:
    """The space as plain values, by which a later call knows its search again."""
    return {
        field: list(one.values) if isinstance(one, Among) else [one.low, one.high, one.log]
        for field, one in sorted(space.items())
    }


def _dimension(field: str, given: Any, path: Path) -> Range | Among:
    if field.startswith(FIXED):
        raise UsageError(
            f"{field} says what is measured and on what: a search over it compares nothing",
            file=path,
            expected="fields of model, training, preprocessing or augmentation",
        )
    if isinstance(given, dict) and set(given) == {"among"}:
        given, ranged = given["among"], False
    else:
        ranged = True
    if not isinstance(given, list) or not given:
        raise UsageError(f"{field} cannot be searched over {given!r}", file=path, expected=FORM)
    *ends, last = given if given[-1] == "log" else [*given, ""]
    if ranged and len(ends) == 2 and all(_number(end) for end in ends):
        low, high = ends
        if not low < high or (last and low <= 0):
            raise UsageError(
                f"{field}: {low} to {high} is no range{' of a logarithm' * bool(last)}",
                file=path,
                expected="a low end below the high one" + ", above 0" * bool(last),
            )
        one: Range | Among = Range(low, high, last == "log")
    else:
        one = Among(tuple(given))
    _check(field, [one.low, one.high] if isinstance(one, Range) else list(one.values), path)
    return one


def _check(field: str, values: Sequence[Any], path: Path) -> None:
    """Refuse a field that the plan does not have, or values that it cannot take."""
    from hounsfield.plan.asked import from_paths

    if field == STRENGTH:
        if not all(_number(value) and value >= 0 for value in values):
            raise UsageError(f"{field} cannot be {values}", file=path, expected="numbers from 0")
        return
    for value in values:
        try:
            from_paths({field: value})
        except UsageError as error:
            raise UsageError(
                error.problem, file=path, expected=error.expected, remedy=error.remedy
            ) from error


def _settings_of(network: str) -> set[str]:
    from hounsfield.models import load

    return set(load(network).Settings.model_fields)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: float) -> float:
    """Four digits: more mean nothing, and a plan is read."""
    return float(f"{value:.4g}")


def _encoded(values: Sequence[Any]) -> list[Any]:
    return [json.dumps(list(v)) if isinstance(v, list | tuple) else v for v in values]


def _decoded(value: Any) -> Any:
    return tuple(json.loads(value)) if isinstance(value, str) and value[:1] == "[" else value
