"""Members: weights of classes, folds, seeds, frozen bodies, losses that burst, logs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import softmax
from stopping import predictions

from hounsfield import workflow
from hounsfield.errors import InputError, RunError
from hounsfield.inference.predict import each_prediction
from hounsfield.run import Run
from hounsfield.tasks.classification import Classification
from hounsfield.training.train import _class_weights, _sampling, build, trained
from hounsfield.workflow.training import study_of

pytestmark = pytest.mark.usefixtures("no_reports")

ENSEMBLE = {"training.folds": 2, "training.seeds": 2, "training.epochs": 2}
FROZEN = {"training.freeze": "body", "training.ema": 0.0}


def test_class_weights_are_those_of_the_training_part(tiny_run: Run) -> None:
    study = study_of(tiny_run)

    def weights(**plan: Any) -> Any:
        training = study.plan.training.model_copy(update=plan)
        changed = study.plan.model_copy(update={"training": training})
        return _class_weights(tiny_run.split.cases("train"), replace(study, plan=changed))

    assert weights(balance="weights").tolist() == pytest.approx([60 / (2 * 40), 60 / (2 * 20)])
    assert weights(balance="none") is None
    rare = [(1 - 0.9) / (1 - 0.9**n) for n in (40, 20)]
    expected = [2 * one / sum(rare) for one in rare]
    assert weights(balance="effective", beta=0.9).tolist() == pytest.approx(expected)
    share = _sampling(["0"] * 30 + ["1"] * 10)
    assert share[:30].sum() == pytest.approx(share[30:].sum())


def test_folds_predict_every_case_once_that_is_not_tested(planned: Any) -> None:
    run = planned.trained(ENSEMBLE)
    val = pl.read_csv(run.predictions("val") / "predictions.csv")["image"].to_list()
    test = pl.read_csv(run.predictions("test") / "predictions.csv")["image"].to_list()
    assert len(val) == len(set(val)) == 90
    assert len(test) == 40
    assert not set(val) & set(test)
    table = pl.read_csv(run.predictions("val") / "oof.csv")
    folds = dict(run.split.table.select("case", "fold").rows())
    assert table["image"].to_list() == val
    assert table["fold"].to_list() == [folds[case] for case in val]
    told = [one.text for one in run.findings if one.kind == "out-of-fold"]
    assert "all 4 networks together" in told[0]
    assert [m.name for m in run.members] == ["f0-s0", "f0-s1", "f1-s0", "f1-s1"]
    seen = [set(run.split.fold(fold)[0]) for fold in (0, 1)]
    held = [set(run.split.fold(fold)[1]) for fold in (0, 1)]
    assert not seen[0] & held[0]
    assert not seen[1] & held[1]


def test_a_fold_that_is_watched_on_one_class_ends_well(
    tiny_plan: dict[str, Any], tmp_path: Any
) -> None:
    rng = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "data" / ("rare" if number < 4 else "plain") / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(number < 4, 1, (12, 12)).astype(np.float32))
    asked = {**tiny_plan, "training.folds": 5, "training.epochs": 1}
    run = workflow.train(tmp_path / "data", asked, out=tmp_path / "run")
    lonely = [one.text for one in run.findings if one.kind == "one-class-fold"]
    assert lonely
    assert all("alone" in text for text in lonely)
    held = sum(len(run.split.fold(fold)[1]) for fold in range(5))
    assert pl.read_csv(run.predictions("val") / "oof.csv").height == held


def test_an_ensemble_is_the_mean_of_its_members_logits(planned: Any) -> None:
    run = planned.trained(ENSEMBLE)
    study = study_of(run)
    networks = [trained(member, study) for member in run.members]
    assert not torch.equal(networks[0].classifier.weight, networks[1].classifier.weight)

    def logits(members: list[Any], cases: list[str]) -> Any:
        where = study.dataset(cases)
        each = [
            list(each_prediction(study.task, study.settings, study.plan, [one], where))
            for one in members
        ]
        return np.mean(each, axis=0)

    temperature = run.calibration.temperatures[0]
    tested = pl.read_csv(run.predictions("test") / "predictions.csv")
    expected = softmax(logits(networks, tested["image"].to_list()) / temperature, axis=1)
    np.testing.assert_allclose(tested.select("p_0", "p_1").to_numpy(), expected, atol=1e-9)
    held = run.split.fold(1)[1]
    mine = pl.read_csv(run.predictions("val") / "predictions.csv").filter(
        pl.col("image").is_in(held)
    )
    expected = softmax(logits(networks[2:], mine["image"].to_list()) / temperature, axis=1)
    np.testing.assert_allclose(mine.select("p_0", "p_1").to_numpy(), expected, atol=1e-9)


def test_a_frozen_body_stays_as_it_was(planned: Any) -> None:
    run = planned.trained(FROZEN)
    study = study_of(run)
    torch.manual_seed(run.resolved.plan.training.seed)
    before = build(study.plan, study.task, study.settings, None).state_dict()
    after = load_file(run.members[0].weights)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_pretrained_weights_are_where_training_starts(
    planned: Any, tiny_run: Run, tmp_path: Any
) -> None:
    file = tmp_path / "given.safetensors"
    save_file(load_file(tiny_run.members[0].weights), file)
    run = planned.trained({**FROZEN, "model.weights": str(file)})
    given, after = load_file(file), load_file(run.members[0].weights)
    assert {n for n in given if not torch.equal(given[n], after[n])} == {
        "classifier.weight",
        "classifier.bias",
    }
    assert "0 start fresh" in run.state["pretrained"]


def test_a_loss_that_is_no_number_stops_and_says_where(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planned.copy({})
    losses, calls = Classification.losses, []

    def burst(*arguments: Any) -> Any:
        calls.append(1)
        found = losses(*arguments)
        return (
            {name: value * float("nan") for name, value in found.items()}
            if len(calls) == 7
            else found
        )

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "losses", burst)
        with pytest.raises(InputError, match="the loss is nan in epoch 2, batch 3") as caught:
            workflow.resume(path)
    assert "train anew with --training.learning-rate" in str(caught.value)
    assert "epoch 1 is kept as the checkpoint" in str(caught.value)
    named = str(caught.value).partition("batch 3 (")[2].partition(", …)")[0].split(", ")
    assert len(named) == 8
    assert set(named) < set(Run(path).split.cases("train"))
    assert Run(path).members[0].history().height == 1
    assert predictions(workflow.resume(path)) == planned.reference({})


def test_logs_lie_beside_the_member(planned: Any) -> None:
    member = planned.trained({}).members[0]
    history = member.history()
    assert history["epoch"].to_list() == [1, 2, 3]
    assert {"loss", "monitor", "metric", "learning_rate"} <= set(history.columns)
    assert history["metric"].unique().to_list() == ["auroc"]
    csv = pl.read_csv(member.path / "logs/metrics.csv")
    assert csv["monitor"].to_list() == pytest.approx(history["monitor"].to_list())
    assert list((member.path / "tensorboard").glob("events.out.tfevents.*"))


def test_the_weights_of_a_finished_run_can_be_made_again(planned: Any) -> None:
    run = workflow.resume(planned.copy({}))
    run.members[0].weights.unlink()
    (run.members[0].path / "checkpoint.pt").unlink()
    assert predictions(workflow.resume(run.path)) == planned.reference({})


@pytest.mark.parametrize("content", [b"", b"no tensors"])
def test_damaged_weights_name_the_file_and_the_way_out(content: bytes, planned: Any) -> None:
    run = workflow.resume(planned.copy({}))
    weights = run.members[0].weights
    weights.write_bytes(content)
    run.update(status="training")
    with pytest.raises(RunError, match="do not fit or are damaged") as caught:
        workflow.resume(run.path)
    assert caught.value.file == weights
    assert "delete this file and resume" in str(caught.value)
    weights.unlink()
    assert predictions(workflow.resume(run.path)) == planned.reference({})
