"""The measurement before a run: what is open is tried, the fastest wins by a margin."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hounsfield.errors import UsageError
from hounsfield.plan.schema import TrainingPlan
from hounsfield.training import probe as probing
from hounsfield.training.probe import GAIN, NO_ROOM, Speed, choices, probe
from hounsfield.training.trial import Trial, Way, is_narrow

PLAN = TrainingPlan(epochs=20, budget=1.0, threads=1)
SAFE = Speed(Way(), 100.0)
FIXED = {"precision": "fp32", "memory_format": "contiguous"}
CONTIGUOUS = Way("fp32", "contiguous")


def chosen(*speeds: Speed, cases: int = 100, plan: TrainingPlan = PLAN) -> dict[str, object]:
    return {choice.path: choice.value for choice in choices([SAFE, *speeds], plan, cases)}


def test_a_small_gain_is_not_worth_a_change() -> None:
    almost = Speed(Way("bf16"), 100 * GAIN)
    assert chosen(almost)["training.precision"] == "fp32"
    found = chosen(Speed(Way("bf16", "contiguous"), 101 * GAIN))
    assert (found["training.precision"], found["training.memory_format"]) == ("bf16", "contiguous")


def test_epochs_fit_the_budget() -> None:
    assert "training.epochs" not in chosen(cases=300)  # 6000 images in a minute: 20 epochs
    assert chosen(cases=301)["training.epochs"] == 19
    assert chosen(cases=100_000)["training.epochs"] == 1


def test_choices_carry_their_evidence() -> None:
    speeds = [SAFE, Speed(Way("bf16", "contiguous"), 300.0), Speed(Way(compile=True), note="no")]
    for choice in choices(speeds, PLAN, 100):
        assert choice.by == "measured"
        assert choice.evidence == (
            "fp32 channels-last: 100 images/s; bf16 contiguous: 300 images/s; "
            "fp32 channels-last compiled: no"
        )


@pytest.mark.parametrize(
    ("images", "setup", "compiles"),
    # 300 cases · 20 epochs at 100 images/s are a minute: a third less, or not with the set-up
    [(150.0, 10.0, True), (150.0, 19.0, False), (104.0, 0.0, False)],
)
def test_compiling_must_pay_for_itself(images: float, setup: float, compiles: bool) -> None:
    found = chosen(Speed(Way(compile=True), images, setup), cases=300)
    assert found["training.compile"] is compiles


def test_compiling_for_several_members_pays_earlier() -> None:
    plan = PLAN.model_copy(update={"folds": 5})
    compiled = Speed(Way(compile=True), 150.0, 19.0)
    assert chosen(compiled, cases=300, plan=plan)["training.compile"] is True


def test_epochs_leave_time_to_compile() -> None:
    plan = PLAN.model_copy(update={"epochs": 90, "seeds": 9})
    found = chosen(Speed(Way(compile=True), 200.0, 30.0), cases=100, plan=plan)
    assert (found["training.compile"], found["training.epochs"]) == (True, 60)


class _Seen(nn.Module):
    """Notes how its images come."""

    def __init__(self, seen: list[tuple[bool, bool, bool]]) -> None:
        super().__init__()
        self.layer, self.seen = nn.Conv2d(2, 2, 3), seen

    def forward(self, images: Tensor) -> Tensor:
        last = torch.channels_last
        out: Tensor = self.layer(images)
        self.seen.append(
            (
                images.is_contiguous(memory_format=last),
                self.layer.weight.is_contiguous(memory_format=last),
                out.dtype == torch.bfloat16,
            )
        )
        return out


class _Greedy(nn.Module):
    """More memory than there is anywhere, for more than so many images."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.layer, self.most = nn.Conv2d(2, 2, 3), most

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            torch.empty(len(images), 2**50)
        out: Tensor = self.layer(images)
        return out


def _square(network: nn.Module, batch: Tensor) -> Tensor:
    found: Tensor = network(batch).float().square().mean()
    return found


@pytest.mark.parametrize("built", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ({"precision": "fp32"}, {(True, True, False), (False, False, False)}),
        (FIXED, {(False, False, False)}),
        ({"precision": "bf16", "memory_format": "contiguous"}, {(False, False, True)}),
    ],
)
def test_each_way_is_tried_as_it_is_named(
    built: torch.memory_format, fixed: dict[str, str], expected: set[tuple[bool, bool, bool]]
) -> None:
    seen: list[tuple[bool, bool, bool]] = []
    trial = Trial(lambda: _Seen(seen).to(memory_format=built), _square, torch.randn(2, 2, 8, 8))
    *speeds, compiled = probe(trial, PLAN, fixed, 10)
    assert set(seen) == expected
    assert len(speeds) == len(expected)
    assert all(speed.images > 0 for speed in speeds)
    assert compiled.way.compile
    assert "not tried, for" in compiled.note
    assert "does not pay" in compiled.note


@pytest.mark.parametrize(("most", "told"), [(3, "; 2 fits"), (4, "; 4 fits"), (1, "; 1 fits")])
def test_a_batch_that_memory_cannot_hold_is_refused_with_one_that_fits(
    most: int, told: str
) -> None:
    trial = Trial(lambda: _Greedy(most), _square, torch.zeros(8, 2, 8, 8))
    with pytest.raises(UsageError, match="a batch of 8 does not fit") as caught:
        probe(trial, PLAN, {}, 10)
    assert caught.value.problem.endswith(told)
    fitting = int(told.split()[1])
    wanted = f"--training.batch {fitting} --training.accumulate {8 // fitting}"
    assert wanted in str(caught.value.remedy)


def test_where_not_one_image_fits_the_batch_is_not_to_blame() -> None:
    trial = Trial(lambda: _Greedy(0), _square, torch.zeros(8, 2, 8, 8))
    with pytest.raises(UsageError, match="not even one image") as caught:
        probe(trial, PLAN, {}, 10)
    assert "--preprocessing.size" in str(caught.value.remedy)


class _Wasteful(nn.Module):
    """Room for one order of its images in memory alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 3)

    def forward(self, images: Tensor) -> Tensor:
        if images.is_contiguous():
            torch.empty(2**60)
        out: Tensor = self.layer(images)
        return out


def test_a_way_that_does_not_fit_is_left_out() -> None:
    trial = Trial(_Wasteful, _square, torch.zeros(4, 2, 8, 8))
    speeds = probe(trial, PLAN, {"precision": "fp32"}, 10)
    assert [speed.note for speed in speeds[:2]] == ["", NO_ROOM]
    found = {choice.path: choice for choice in choices(speeds, PLAN, 10)}
    assert found["training.memory_format"].value == "channels-last"
    assert f"fp32 contiguous: {NO_ROOM}" in str(found["training.precision"].evidence)


@pytest.mark.parametrize("broken", [True, False])
def test_a_compiler_that_fails_does_not_fail_the_run(
    broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[bool] = []

    def compile_(network: nn.Module, **_: object) -> None:
        compiled.append(True)
        if broken:
            raise RuntimeError("no C++ compiler\nat all")

    monkeypatch.setattr(probing, "LONG", 0.0)
    monkeypatch.setattr(nn.Module, "compile", compile_)
    trial = Trial(lambda: nn.Conv2d(2, 2, 3), _square, torch.zeros(4, 2, 8, 8))
    *_, last = probe(trial, PLAN, FIXED, 10)
    assert compiled == [True]
    assert last.way == Way("fp32", "contiguous", compile=True)
    if broken:
        assert last.note == "not possible here (no C++ compiler)"
        assert not chosen(last)["training.compile"]
    else:
        assert last.images > 0
    compiled.clear()
    assert not any(s.way.compile for s in probe(trial, PLAN, FIXED | {"compile": "no"}, 10))
    assert not compiled


def test_a_compiled_step_is_tried_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crashes(way: Way) -> tuple[float, float]:
        assert way.compile
        raise RuntimeError("the compiled network crashed with signal 11")

    monkeypatch.setattr(probing, "LONG", 0.0)
    trial = Trial(lambda: nn.Conv2d(2, 2, 3), _square, torch.zeros(4, 2, 8, 8), crashes)
    *_, last = probe(trial, PLAN, FIXED, 10)
    assert last.note == "not possible here (the compiled network crashed with signal 11)"
    trial = Trial(trial.make, _square, trial.images, lambda way: (30.5, 0.5))
    *_, last = probe(trial, PLAN, FIXED, 10)
    assert (last.images, last.setup) == (8.0, 30.0)


def _narrow(inputs: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, inputs, 3), nn.Conv2d(inputs, 8, 1, 2))


def test_narrow_convolutions_keep_out_of_a_fault_of_the_library() -> None:
    """Channels last, their gradient is wrong or crashes the process (oneDNN issue 6035)."""
    trial = Trial(_narrow, _square, torch.zeros(4, 2, 12, 12))
    first, compiled = probe(trial, PLAN, {"precision": "fp32"}, 10)
    assert first.way == CONTIGUOUS
    assert compiled.note == "not tried, for its narrow convolutions"
    with pytest.raises(UsageError, match="channels-last, in which") as caught:
        probe(trial, PLAN, {"precision": "fp32", "memory_format": "channels-last"}, 10)
    assert "--training.memory-format contiguous" in str(caught.value)
    assert not is_narrow(_narrow(16))
    assert not is_narrow(nn.Conv2d(2, 8, 1))
