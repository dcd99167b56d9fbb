"""What classification chooses, and how its logits leave the device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hounsfield.tasks.classification import TASK, ClassSettings

SETTINGS = ClassSettings(classes=("well", "ill"))


class Far:
    """A tensor on a device without float64."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values

    def double(self) -> Any:
        raise TypeError("the device has no float64")

    def cpu(self) -> torch.Tensor:
        return self.values


def test_logits_come_from_a_device_without_float64() -> None:
    logits = torch.tensor([[0.1, -2.0], [3.0, 0.5]])
    network: Any = lambda images: Far(logits)  # noqa: E731
    found = TASK.predict(network, torch.zeros(2, 1, 4, 4), SETTINGS)
    assert np.array_equal(np.stack(found), logits.numpy().astype(np.float64))
    assert found[0].dtype == np.float64


@pytest.mark.parametrize(
    ("counts", "multilabel", "balance"),
    [
        ({"ill": 50, "well": 10}, False, "none"),
        ({"ill": 51, "well": 10}, False, "weights"),
        ({"a": 30, "b": 30, "c": 2}, False, "weights"),
        ({"a": 30, "b": 1}, True, "none"),
        ({}, False, "none"),
    ],
)
def test_weights_are_for_rare_classes(
    counts: dict[str, int], multilabel: bool, balance: str
) -> None:
    settings = ClassSettings(classes=("a", "b"), multilabel=multilabel)
    choosing: Any = SimpleNamespace(fingerprint=SimpleNamespace(classes=counts))
    (choice,) = TASK.choose(choosing, settings)
    assert (choice.path, choice.value) == ("training.balance", balance)
    assert choice.reason
