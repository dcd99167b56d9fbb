"""How the model was made: the plan's values with their reasons, and how to make it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hounsfield.catalog.fingerprint import Choice
from hounsfield.plan.resolved import Resolved
from hounsfield.run import Run

KEY = (  # what a reader asks for first, in this order
    "task.name",
    "model.name",
    "model.weights",
    "preprocessing.size",
    "preprocessing.fit",
    "augmentation.flip",
    "augmentation.rotate",
    "training.epochs",
    "training.batch",
    "training.optimizer",
    "training.learning_rate",
    "training.balance",
    "training.precision",
    "training.folds",
    "training.seeds",
    "evaluation.threshold",
)
BY = {
    "user": "you",
    "rule": "a rule",
    "measured": "a measurement",
    "default": "the default",
}


@dataclass(frozen=True)
class Value:
    """One value of the plan as the report shows it."""

    path: str
    value: str
    reason: str
    by: str
    evidence: str


def values(resolved: Resolved) -> list[Value]:
    """All values of the plan with their reasons, in the plan's order."""
    return [_value(choice) for choice in resolved.choices.values()]


def key_values(resolved: Resolved) -> list[Value]:
    """Those that a reader asks for first."""
    choices = resolved.choices
    return [_value(choices[path]) for path in KEY if path in choices]


def calibration(run: Run) -> list[str]:
    """What was fitted on validation data, in words."""
    if not run.calibration_file.exists():
        return []
    found = run.calibration
    temperatures = ", ".join(f"{value:.3g}" for value in found.temperatures)
    thresholds = ", ".join(f"{value:.3g}" for value in found.thresholds)
    return [
        *([f"Temperature {temperatures}"] if found.margin is None else []),
        *([f"Threshold {thresholds}"] if thresholds else []),
        *found.reasons,
    ]


FEW = 6  # layers that are named; all stand in run.json


def pretrained(run: Run) -> str:
    """Which layers started from pretrained weights, in a sentence; empty where none did."""
    state = run.state
    if "pretrained" not in state:
        return ""
    told = f"The network started from pretrained weights: {state['pretrained']}"
    fresh = state.get("layers", {}).get("fresh", [])
    if not fresh:
        return f"{told}."
    more = f" and {len(fresh) - FEW} more" if len(fresh) > FEW else ""
    return f"{told}. Fresh are {', '.join(fresh[:FEW])}{more}."


def slices(run: Run) -> list[str]:
    """How much each slice weighs in a late fusion, a sentence a network; none for another run."""
    told = run.state.get("slice_weights", {})
    several = len(told) > 1
    return [
        f"{f'{member}: ' if several else ''}the slices weigh "
        f"{', '.join(f'{weight:.2f}' for weight in one['weights'])} ({one['reason']})"
        for member, one in told.items()
    ]


def commands(run: Run) -> list[str]:
    """The command lines that make the run again."""
    return [
        f"hounsfield train DATA --plan {run.path.resolve().name}/plan.resolved.yaml --out AGAIN"
    ]


def asked(run: Run) -> str:
    """plan.yaml as it was written."""
    path = run.path / "plan.yaml"
    return path.read_text() if path.exists() else ""


def _value(choice: Choice) -> Value:
    return Value(
        choice.path,
        _shown(choice.value),
        choice.reason.removeprefix("default: "),  # the last column says so
        BY.get(choice.by, choice.by),
        choice.evidence or "",
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " × ".join(_shown(one) for one in value) if len(value) <= 4 else str(len(value))
    return "–" if value in (None, "") else str(value)
