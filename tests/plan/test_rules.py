"""The general rules, as tables from facts to values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hounsfield.catalog.fingerprint import Fingerprint, Machine
from hounsfield.plan.rules import FEWEST_EPOCHS, LARGE_IMAGES, MOST_EPOCHS, TINY_IMAGES, rules
from hounsfield.tasks.contract import Choosing

Facts = Callable[..., Fingerprint]
TINY = {"height": 28, "width": 28, "smallest": 28, "largest": 28}


def chosen(facts: Fingerprint, **asked: Any) -> dict[str, Any]:
    paths = {name.replace("__", "."): value for name, value in asked.items()}
    return {choice.path: choice.value for choice in rules(Choosing(facts, paths), (2,))}


@pytest.mark.parametrize(
    ("changed", "size"),
    [
        ({}, (224, 224)),
        (TINY, (28, 28)),
        ({"height": 8, "width": 64, "smallest": 8, "largest": 64}, (8, 64)),
        ({"height": 5, "width": 5, "smallest": 5, "largest": 5}, (8, 8)),
        ({"height": 60, "width": 60, "smallest": 20, "largest": 65}, (224, 224)),
    ],
)
def test_the_size_follows_the_pictures(
    facts: Facts, changed: dict[str, Any], size: tuple[int, int]
) -> None:
    assert chosen(facts(**changed))["preprocessing.size"] == size


@pytest.mark.parametrize(
    ("cases", "changed", "batch", "epochs"),
    [
        (40, {}, 16, MOST_EPOCHS),
        (511, {}, 16, round(LARGE_IMAGES / 511)),
        (512, {}, 32, round(LARGE_IMAGES / 512)),
        (100_000, {}, 32, FEWEST_EPOCHS),
        (40, TINY, 16, MOST_EPOCHS),
        (1024, TINY, 32, MOST_EPOCHS),
        (8000, TINY, 128, round(TINY_IMAGES / 8000)),
        (100_000, TINY, 128, FEWEST_EPOCHS),
    ],
)
def test_steps_follow_the_number_of_cases(
    facts: Facts, cases: int, changed: dict[str, Any], batch: int, epochs: int
) -> None:
    plan = chosen(facts(cases=cases, **changed))
    assert (plan["training.batch"], plan["training.epochs"]) == (batch, epochs)


@pytest.mark.parametrize(("bits", "clip"), [(8, "none"), (16, None), (32, None), (0, None)])
def test_only_tiny_pictures_of_8_bits_are_taken_as_windowed(
    facts: Facts, bits: int, clip: str | None
) -> None:
    assert chosen(facts(bits=bits, **TINY)).get("preprocessing.clip") == clip
    assert "preprocessing.clip" not in chosen(facts(bits=bits))


def test_the_rate_grows_with_the_root_of_the_batch(facts: Facts) -> None:
    rates = [
        chosen(facts(), training__batch=batch)["training.learning_rate"] for batch in (32, 128)
    ]
    assert rates[1] == pytest.approx(2 * rates[0])


def test_colour_and_the_machine_are_used(facts: Facts) -> None:
    plan = chosen(
        facts(colour=True, machine=Machine(cores=6, memory_gb=8, gpu="H", gpu_memory_gb=9))
    )
    assert plan["preprocessing.colour"] is True
    assert plan["training.device"] == "cuda"
    assert plan["training.threads"] == plan["training.workers"] == 6
    grey = chosen(facts())
    assert "preprocessing.colour" not in grey
    assert grey["training.device"] == "cpu"


def test_each_choice_says_why(facts: Facts) -> None:
    for changed in ({}, TINY):
        assert all(len(c.reason) > 5 for c in rules(Choosing(facts(**changed), {}), (2,)))


def test_no_body_is_mirrored_unasked(facts: Facts) -> None:
    assert chosen(facts())["augmentation.flip"] is False
    assert chosen(facts(**TINY))["augmentation.flip"] is False
