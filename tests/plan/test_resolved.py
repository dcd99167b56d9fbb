"""The resolved plan: every value with its reason, read back as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hounsfield.catalog.fingerprint import Choice
from hounsfield.errors import RunError, UsageError
from hounsfield.plan.asked import from_paths
from hounsfield.plan.choose import amend, resolve
from hounsfield.plan.resolved import Resolved, leaves
from hounsfield.run import Run

BY = {"user", "rule", "measured", "default"}


def test_every_leaf_of_a_run_has_value_reason_and_by(tiny_run: Run) -> None:
    tree = yaml.safe_load((tiny_run.path / "plan.resolved.yaml").read_text())
    flat = _flat(tree)
    assert set(flat) == {path for path, _ in leaves(tiny_run.resolved.plan)}
    for path, leaf in flat.items():
        assert {"value", "reason", "by"} <= leaf.keys() <= {"value", "reason", "by", "evidence"}
        assert leaf["by"] in BY, path
        assert leaf["reason"], path


def test_what_the_user_asked_for_wins_and_is_said(tiny_run: Run, tiny_plan: dict[str, Any]) -> None:
    choices = tiny_run.resolved.choices
    for path, value in from_paths(tiny_plan).items():
        assert choices[path].by == "user", path
        given = choices[path].value
        assert (tuple(given) if isinstance(given, list) else given) == value, path
    assert choices["training.learning_rate"].by == "rule"
    assert choices["preprocessing.mean"].by == "measured"
    assert choices["training.momentum"].by == "default"


def test_dump_and_load_are_inverse(tiny_run: Run, tmp_path: Path) -> None:
    resolved = tiny_run.resolved
    file = tmp_path / "plan.resolved.yaml"
    file.write_text(resolved.dump())
    again = Resolved.load(file)
    assert again.plan == resolved.plan
    assert again.choices == resolved.choices
    assert again.dump() == resolved.dump()


def test_evidence_is_kept(tmp_path: Path) -> None:
    choice = Choice("training.precision", "bf16", "the fastest", "measured", "bf16: 90 images/s")
    file = tmp_path / "plan.resolved.yaml"
    file.write_text(resolve([choice], {}).dump())
    assert Resolved.load(file).choices["training.precision"] == choice


def test_later_choices_replace_rules_but_not_the_user() -> None:
    first = resolve(
        [Choice("training.epochs", 30, "rule"), Choice("training.batch", 32, "rule")],
        {"training.batch": 8},
    )
    later = amend(
        first,
        [
            Choice("training.epochs", 7, "what 10 minutes allow", "measured"),
            Choice("training.batch", 64, "measured", "measured"),
        ],
    )
    assert (later.plan.training.epochs, later.plan.training.batch) == (7, 8)
    assert later.choices["training.epochs"].by == "measured"
    assert later.choices["training.batch"].by == "user"


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"training.epochs cannot be 0"):
        resolve([], {"training.epochs": 0})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "training: {epochs: {value: x, reason: r, by: user}}",
        "training: {epochs: 3}",
        "{",
    ],
)
def test_a_damaged_plan_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.resolved.yaml"
    file.write_text(text)
    with pytest.raises(RunError, match="resolved plan cannot be read") as caught:
        Resolved.load(file)
    assert caught.value.remedy
    assert caught.value.file == file


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, inner in tree.items():
        assert isinstance(inner, dict), f"{prefix}{key} is a bare value"
        if "value" in inner:
            found[f"{prefix}{key}"] = inner
        else:
            found |= _flat(inner, f"{prefix}{key}.")
    return found
