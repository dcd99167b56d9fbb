"""Tasks that a bundle can hold: the same predictions from the network and from its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hounsfield.tasks import TASKS, load
from hounsfield.tasks.contract import Exportable

SETTINGS: dict[str, dict[str, Any]] = {
    "classification": {"classes": ("a", "b", "c")},
    "ordinal": {"classes": ("0", "1", "2", "3")},
    "regression": {"name": "age", "centre": 60.0, "scale": 12.0},
}
EXPORTABLE = [name for name in TASKS if isinstance(load(name), Exportable)]


def test_each_has_settings_here() -> None:
    assert set(EXPORTABLE) == set(SETTINGS)


@pytest.mark.parametrize("name", EXPORTABLE)
def test_outputs_become_predictions(name: str) -> None:
    """Also the mean over members: `combine` of predictions is that of mean outputs."""
    task: Any = load(name)
    settings = task.Settings.model_validate(SETTINGS[name])
    outputs = torch.randn(2, 5, task.outputs(settings))
    members = [task.predict(lambda _, o=o: o, torch.zeros(5, 1, 4, 4), settings) for o in outputs]
    together = [task.combine(pair) for pair in zip(*members, strict=True)]
    found = [task.from_output(one, settings) for one in outputs.double().mean(0).numpy()]
    assert np.allclose(np.array(found), np.array(together), atol=1e-5)
    assert task.mirrored(found[0], 4) is found[0]
