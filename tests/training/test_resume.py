"""A run that was killed and resumed predicts byte for byte what an uninterrupted one predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from stopping import predictions

from hounsfield import workflow
from hounsfield.errors import RunError
from hounsfield.run import Run

if TYPE_CHECKING:
    from stopping import Children

pytestmark = pytest.mark.usefixtures("no_reports")

STEP = "hounsfield.training.learner:Learner.training_step"
KILLED = -9
PLAIN: dict[str, Any] = {}
PATIENT = {  # good for two epochs, then the rate grows too high: it stops after four
    "training.patience": 2,
    "training.epochs": 12,
    "training.learning_rate": 0.3,
    "training.warmup": 0.4,
}
PLATEAU = {
    "training.schedule": "plateau",
    "training.epochs": 9,
    "training.learning_rate": 0.05,
    "training.save_every": 2,
}
ENSEMBLE = {"training.folds": 2, "training.seeds": 2, "training.epochs": 2}

# name -> what is asked for, where it is killed; 60 cases in batches of 16 are 4 steps an epoch
POINTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "in the first epoch": (PLAIN, {"call": STEP, "nth": 2}),
    "in a checkpoint": (PLAIN, {"half": "checkpoint.pt", "nth": 2}),
    "after the last checkpoint": (PLAIN, {"after": "checkpoint.pt", "nth": 3}),
    "after the weights": (PLAIN, {"after": "weights.safetensors"}),
    "between the predictions": (PLAIN, {"after": "val/predictions.csv"}),
    "before it is said": (PLAIN, {"status": "trained"}),
    "accumulating, without average": (
        {"training.accumulate": 3, "training.ema": 0.0},
        {"call": STEP, "nth": 10},
    ),
    "sampling, by steps": (
        {"training.balance": "sampling", "training.schedule": "step", "training.optimizer": "sgd"},
        {"after": "metrics.jsonl", "nth": 2},
    ),
    "mixing pictures, with a focal loss": (
        {"augmentation.mixup": 0.4, "augmentation.cutmix": 1.0, "task.settings.focal": 2.0},
        {"call": STEP, "nth": 7},
    ),
    "on a plateau, saving rarely": (PLATEAU, {"call": STEP, "nth": 30}),
    "patient, at the best": (PATIENT, {"half": "best.pt", "nth": 2}),
    "patient, after it stopped": (PATIENT, {"before": "weights.safetensors"}),
    "in the last member": (ENSEMBLE, {"half": "checkpoint.pt", "nth": 8}),
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
    assert predictions(run) == expected
    unhurt = planned.trained(asked).members
    assert [m.log.read_text() for m in run.members] == [m.log.read_text() for m in unhurt]
    history = run.members[0].history()
    if asked is PATIENT:
        assert history.height < PATIENT["training.epochs"]
    if asked is PLATEAU:
        assert history["learning_rate"].to_list()[-1] == pytest.approx(0.025)
    csv = pl.read_csv(run.members[0].path / "logs/metrics.csv")
    assert csv["loss"].to_list() == pytest.approx(history["loss"].to_list())


# the plan is made of the catalog, so that the pseudonyms of both runs have one key
@pytest.mark.parametrize(
    "stop",
    [
        {"call": "hounsfield.training.settle:settle"},
        {"after": "data/split.parquet"},
        {"before": "plan.resolved.yaml"},
        {"status": "training"},
    ],
    ids=["measuring", "after the split", "before the plan", "before it is said"],
)
def test_a_run_killed_while_planning_resumes(
    stop: dict[str, Any], planned: Any, children: Children, tmp_path: Path
) -> None:
    expected = planned.reference(PLAIN)
    out, catalog = tmp_path / "run", planned.catalog
    job = {"verb": "train", "arguments": [catalog, planned.plan], "keywords": {"out": str(out)}}
    assert children.run(job | {"stop": stop}, tmp_path / "log") == KILLED
    assert Run(out).status == "planned"
    with pytest.raises(RunError, match="not trained to its end"):
        workflow.predict(out, [catalog], tmp_path / "new")

    assert predictions(workflow.resume(out)) == expected


def test_a_run_killed_while_indexing_resumes(
    planned: Any, tiny_data: Path, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    job = {"verb": "train", "arguments": [tiny_data, planned.plan], "keywords": {"out": str(out)}}
    stop = {"call": "hounsfield.catalog.link:save"}
    assert children.run(job | {"stop": stop}, tmp_path / "log") == KILLED
    found = pl.read_csv(workflow.resume(out).predictions("test") / "predictions.csv")
    known = pl.read_csv(planned.reference(PLAIN)["test"])
    assert_frame_equal(found.drop("patient"), known.drop("patient"))


def test_a_run_killed_before_it_began_says_so(
    planned: Any, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = [planned.catalog, planned.plan]
    job = {"verb": "train", "arguments": arguments, "keywords": {"out": str(out)}}
    stop = {"before": "request.json"}
    assert children.run(job | {"stop": stop}, tmp_path / "log") == KILLED
    with pytest.raises(RunError, match="stopped before it began") as caught:
        workflow.resume(out)
    assert "--overwrite" in str(caught.value)


def test_ctrl_c_is_130_and_loses_nothing(planned: Any, children: Children, tmp_path: Path) -> None:
    path, log = planned.copy(PLAIN), tmp_path / "log"
    stop = {"call": STEP, "nth": 6, "signal": "SIGINT"}
    job = {"verb": "cli", "arguments": ["train", "--resume", path], "stop": stop}
    assert children.run(job, log) == 130
    assert log.read_text().startswith("Stopped: nothing is lost")
    assert "Traceback" not in log.read_text()
    assert Run(path).members[0].history().height == 1
    assert predictions(workflow.resume(path)) == planned.reference(PLAIN)


@pytest.mark.parametrize("largest", [300, 20_000], ids=["a log", "a checkpoint"])
def test_a_full_disk_is_told_and_loses_nothing(
    largest: int, planned: Any, children: Children, tmp_path: Path
) -> None:
    """The limit on a file's size makes the kernel refuse a real write."""
    path, log = planned.copy(PLAIN), tmp_path / "log"
    job = {"verb": "cli", "arguments": ["train", "--resume", path], "largest": largest}
    assert children.run(job, log) == 5, log.read_text()
    assert "the disk is full" in " ".join(log.read_text().split()) or largest == 300
    assert f"train --resume {path}" in log.read_text()
    assert not list(path.rglob("*.part"))
    assert predictions(workflow.resume(path)) == planned.reference(PLAIN)


def test_the_same_run_twice_gives_the_same_bytes(planned: Any) -> None:
    twice = predictions(workflow.resume(planned.copy(PLAIN)))
    assert twice == planned.reference(PLAIN)
    other = predictions(workflow.resume(planned.copy({"training.seed": 1})))
    assert other != twice
