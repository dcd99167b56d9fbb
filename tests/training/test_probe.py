"""The measurement before a run: what is open is tried, the fastest wins by a margin."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hounsfield.plan.schema import TrainingPlan
from hounsfield.training.probe import GAIN, Speed, choices, probe

PLAN = TrainingPlan(epochs=20, budget=1.0, threads=1)
SAFE = Speed("fp32", "channels-last", 100.0)


def chosen(*speeds: Speed, cases: int = 100) -> dict[str, object]:
    return {choice.path: choice.value for choice in choices([SAFE, *speeds], PLAN, cases)}


def test_a_small_gain_is_not_worth_a_change() -> None:
    almost = Speed("bf16", "channels-last", 100 * GAIN)
    assert chosen(almost)["training.precision"] == "fp32"
    faster = Speed("bf16", "contiguous", 101 * GAIN)
    found = chosen(faster)
    assert (found["training.precision"], found["training.memory_format"]) == ("bf16", "contiguous")


def test_epochs_fit_the_budget() -> None:
    assert "training.epochs" not in chosen(cases=300)  # 6000 images in a minute: 20 epochs
    assert chosen(cases=301)["training.epochs"] == 19
    assert chosen(cases=100_000)["training.epochs"] == 1


def test_choices_carry_their_evidence() -> None:
    for choice in choices([SAFE, Speed("bf16", "contiguous", 300.0)], PLAN, 100):
        assert choice.by == "measured"
        assert choice.evidence == "fp32 channels-last: 100 images/s; bf16 contiguous: 300 images/s"


class _Seen(nn.Module):
    def __init__(self, seen: list[tuple[bool, bool, bool]]) -> None:
        super().__init__()
        self.layer, self.seen = nn.Conv2d(2, 2, 3), seen

    def forward(self, images: Tensor) -> Tensor:
        last = torch.channels_last
        out = self.layer(images)
        self.seen.append(
            (
                images.is_contiguous(memory_format=last),
                self.layer.weight.is_contiguous(memory_format=last),
                out.dtype == torch.bfloat16,
            )
        )
        return out


@pytest.mark.parametrize("built", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ({"precision": "fp32"}, {(True, True, False), (False, False, False)}),
        ({"precision": "fp32", "memory_format": "contiguous"}, {(False, False, False)}),
        ({"precision": "bf16", "memory_format": "contiguous"}, {(False, False, True)}),
    ],
)
def test_each_way_is_tried_as_it_is_named(
    built: torch.memory_format, fixed: dict[str, str], expected: set[tuple[bool, bool, bool]]
) -> None:
    seen: list[tuple[bool, bool, bool]] = []
    images = torch.randn(2, 2, 8, 8)
    speeds = probe(
        lambda: _Seen(seen).to(memory_format=built),
        lambda network, batch: network(batch).float().square().mean(),
        images,
        PLAN,
        fixed,
    )
    assert set(seen) == expected
    assert len(speeds) == len(expected)
    assert all(speed.images > 0 for speed in speeds)
