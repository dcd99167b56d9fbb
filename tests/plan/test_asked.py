"""What users ask for: flags, plan files and Python give the same values, or the same refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from folders import QUICK

from hounsfield.cli import main
from hounsfield.errors import UsageError
from hounsfield.plan.asked import from_file, from_paths, from_values, nest, typed
from hounsfield.plan.resolved import MEASURED
from hounsfield.run import Run
from hounsfield.tasks.contract import Settings


def test_paths_and_nested_values_are_the_same() -> None:
    paths = {"training.epochs": 3, "model.settings.widths": (4, 8), "preprocessing.size": [28, 28]}
    nested = {
        "training": {"epochs": 3},
        "model": {"settings": {"widths": [4, 8]}},
        "preprocessing": {"size": [28, 28]},
    }
    expected = {
        "training.epochs": 3,
        "model.settings.widths": (4, 8),
        "preprocessing.size": (28, 28),
    }
    assert from_paths(paths) == from_values(nested) == expected
    assert nest(expected) == {
        "preprocessing": {"size": (28, 28)},
        "model": {"settings": {"widths": (4, 8)}},
        "training": {"epochs": 3},
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"training.epoch": 3}, "no field 'training.epoch'.*did you mean 'epochs'"),
        ({"trainin.epochs": 3}, "no field 'trainin'.*did you mean 'training'"),
        ({"training.epochs": "many"}, "training.epochs cannot be 'many'.*integer"),
        ({"training.epochs": 0}, "training.epochs cannot be 0.*greater than or equal to 1"),
        ({"training.optimizer": "adamv"}, "training.optimizer cannot be 'adamv'.*'adamw'"),
        ({"preprocessing.size": [4, 4]}, r"^preprocessing.size \(4, 4\): .*8 to 16384 pixels"),
        ({"model.settings.widths": {"a": 1}}, "model.settings.widths cannot be"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){said}"):
        from_paths(wrong)


def test_a_plan_file_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("training: {epoch: 3}")
    with pytest.raises(UsageError, match="did you mean 'epochs'") as caught:
        from_file(file)
    assert caught.value.file == file


@pytest.mark.parametrize("text", ["- a\n- b\n", "training: {epochs: 3", "\0\1\2"])
def test_a_file_that_is_no_plan(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="plan"):
        from_file(file)


def test_a_plan_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file") as caught:
        from_file(tmp_path / "nowhere.yaml")
    assert "Errno" not in str(caught.value)


def test_an_empty_plan_and_empty_sections_ask_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("")
    assert from_file(file) == {}
    file.write_text("training:\nmodel: {name: null}\n")
    assert from_file(file) == {}


def test_a_misspelt_flag_suggests_the_right_one(
    tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    code = main(["train", str(tiny_data), "--out", str(out), "--training.epoch", "3"])
    assert code == 2
    said = capfd.readouterr()
    assert "--training.epochs" in said.out + said.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--training.epochs", "many"], "epochs"),
        (["--model.name", "resnet81"], "resnet18"),
        (["--model.settings.width", "4"], "widths"),
        (["--model.settings.widths", "4"], "a list: 16,32 or [16]"),
        (["--task.settings.smothing", "0.1"], "smoothing"),
        (["--task.name", "clasification"], "classification"),
    ],
)
def test_a_wrong_value_is_told_and_nothing_is_left(
    flags: list[str],
    said: str,
    tiny_data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    assert main(["train", str(tiny_data), "--out", str(out), *flags]) == 2
    told = capfd.readouterr()
    assert said in told.out + told.err
    assert "Traceback" not in told.err
    assert not out.exists()


def test_the_plan_command_writes_what_train_accepts(
    tiny_data: Path, tmp_path: Path, tiny_plan: dict[str, Any], tiny_run: Run
) -> None:
    out = tmp_path / "plan.yaml"
    code = main(["plan", str(tiny_data), "--out", str(out), "--training.epochs", "3"])
    assert code == 0
    written = yaml.safe_load(out.read_text())
    assert written["training"]["epochs"] == {"value": 3, "reason": "asked for", "by": "user"}
    asked = from_file(out)
    assert asked["training.epochs"] == 3
    assert asked["task.settings.classes"] == ("0", "1")
    again = from_file(tiny_run.path / "plan.resolved.yaml")
    assert {path: again[path] for path in tiny_plan} == from_paths(tiny_plan)


def test_a_written_plan_is_trained_from(tiny_data: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "plan.yaml", tmp_path / "run"
    assert main(["plan", str(tiny_data), "--out", str(out), *QUICK]) == 0
    written = yaml.safe_load(out.read_text())
    assert "mean" not in written["preprocessing"]
    assert written["training"]["precision"]["value"] == "fp32"  # asked for
    assert main(["train", str(tiny_data), "--plan", str(out), "--out", str(run)]) == 0
    choices = Run(run).resolved.choices
    assert choices["preprocessing.mean"].by == "measured"
    assert choices["training.momentum"].by == "default"
    assert choices["training.batch"].by == "user"


def test_what_is_measured_stays_open_in_a_written_plan(tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.yaml"
    assert main(["plan", str(tiny_data), "--out", str(out), "--audit.near", "off"]) == 0
    assert not set(MEASURED) & from_file(out).keys()
    every = [path for path in MEASURED if not path.startswith("task.")]  # these are of numbers
    assert all(path in out.read_text().splitlines()[0] for path in every)


def test_a_default_is_asked_for_where_it_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    leaf = "{value: %s, reason: default, by: default}"
    file.write_text(f"training: {{momentum: {leaf % 0.9}, warmup: {leaf % 0.3}}}")
    assert from_file(file) == {"training.warmup": 0.3}


class _Own(Settings):
    depth: int = 3


def test_own_settings_are_typed() -> None:
    assert typed(_Own, {"depth": 4}, "model.settings", "net").depth == 4
    with pytest.raises(UsageError, match=r"net has no setting model.settings.dept") as caught:
        typed(_Own, {"dept": 4}, "model.settings", "net")
    assert "'depth'" in str(caught.value)
    with pytest.raises(UsageError, match=r"model.settings.depth cannot be 'deep'"):
        typed(_Own, {"depth": "deep"}, "model.settings", "net")
    with pytest.raises(UsageError, match="net has no settings"):
        typed(Settings, {"dept": 4}, "model.settings", "net")
