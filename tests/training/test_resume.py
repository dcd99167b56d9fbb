"""A run that was killed and resumed predicts byte for byte what an uninterrupted one predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hounsfield import workflow
from hounsfield.run import Run

if TYPE_CHECKING:
    from stopping import Children

pytestmark = pytest.mark.usefixtures("no_reports")

STEP = "hounsfield.training.learner:Learner.training_step"
KILLED = -9
PLAIN: dict[str, Any] = {}
ENSEMBLE = {"training.folds": 2, "training.seeds": 2, "training.epochs": 2}

# name -> what is asked for, where it is killed; 60 cases in batches of 16 are 4 steps an epoch
POINTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "in the first epoch": (PLAIN, {"call": STEP, "nth": 2}),
    "in the second epoch": (PLAIN, {"call": STEP, "nth": 7}),
    "between log and checkpoint": (PLAIN, {"after": "metrics.jsonl", "nth": 2}),
    "in a checkpoint": (PLAIN, {"half": "checkpoint.pt", "nth": 2}),
    "after the last checkpoint": (PLAIN, {"after": "checkpoint.pt", "nth": 3}),
    "after the weights": (PLAIN, {"after": "weights.safetensors"}),
    "between the predictions": (PLAIN, {"after": "val/predictions.csv"}),
    "before the test predictions": (PLAIN, {"before": "test/predictions.csv"}),
    "before it is said": (PLAIN, {"status": "trained"}),
    "without average": ({"training.ema": 0.0}, {"call": STEP, "nth": 7}),
    "accumulating": ({"training.accumulate": 3}, {"call": STEP, "nth": 10}),
    "sampling, by steps": (
        {"training.balance": "sampling", "training.schedule": "step", "training.optimizer": "sgd"},
        {"call": STEP, "nth": 10},
    ),
    "on a plateau, saving rarely": (
        {"training.schedule": "plateau", "training.epochs": 9, "training.save_every": 2},
        {"call": STEP, "nth": 34},
    ),
    "patient, before the best": (
        {"training.patience": 2, "training.epochs": 12, "training.learning_rate": 0.05},
        {"half": "best.pt", "nth": 2},
    ),
    "patient, after it stopped": (
        {"training.patience": 2, "training.epochs": 12, "training.learning_rate": 0.05},
        {"before": "weights.safetensors"},
    ),
    "in the second member": (ENSEMBLE, {"call": STEP, "nth": 9}),
    "in the last member": (ENSEMBLE, {"half": "checkpoint.pt", "nth": 8}),
    "only the head learns": ({"training.freeze": "body"}, {"call": STEP, "nth": 6}),
}


@pytest.mark.parametrize("name", POINTS)
def test_a_killed_run_resumes_to_the_same_bytes(
    name: str, planned: Any, children: Children, tmp_path: Path
) -> None:
    asked, stop = POINTS[name]
    expected = planned.reference(asked)
    path = planned.copy(asked)
    log = tmp_path / "log"
    code = children.run({"verb": "resume", "arguments": [path], "stop": stop}, log)
    assert code == KILLED, log.read_text()
    assert Run(path).status == "training"

    run = workflow.resume(path)

    assert run.status == "finished"
    found = {part: (run.predictions(part) / "predictions.csv").read_bytes() for part in expected}
    assert found == expected
