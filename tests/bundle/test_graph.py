"""What is exported computes what the networks do: members, views, slices and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hounsfield.bundle.graph import Graph, as_onnx, as_openvino
from hounsfield.bundle.runtimes import started
from hounsfield.errors import UsageError
from hounsfield.inference.predict import Seers
from hounsfield.models.assemble import Design, assemble
from hounsfield.models.cnn import Settings
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.columns import Column
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks import load as load_task
from hounsfield.tasks.classification import ClassSettings
from hounsfield.training.data import Raw

SPEC = TableSpec(
    columns=(
        Column(name="age", kind="number", mean=50, std=10, missing=True),
        Column(name="sex", kind="category", levels=("F", "M"), shares=(0.5, 0.5)),
    )
)
ROWS = torch.tensor([[0.5, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 2.0], [2.0, 0.0, 1.0]])
CASES: dict[str, dict[str, Any]] = {
    "late fusion, two members, mirrored, each image by itself": {
        "fusion": "late",
        "depth": 2,
        "members": 2,
        "mirror": True,
        "normalise": "image",
    },
    "attention with a table, two channels": {
        "fusion": "attention",
        "depth": 3,
        "table": SPEC,
        "channels": 2,
    },
    "volume, moved twice": {"fusion": "volume", "depth": 8, "views": 3},
}


def plan_of(case: dict[str, Any]) -> Plan:
    channels = case.get("channels", 1)
    return Plan.model_validate(
        {
            "preprocessing": {
                "size": (16, 24),
                "depth": case.get("depth", 1),
                "normalise": case.get("normalise", "dataset"),
                "mean": (0.4,) * channels,
                "std": (0.2,) * channels,
            },
            "model": {"fusion": case.get("fusion", "channels")},
            "evaluation": {"mirror": case.get("mirror", False), "views": case.get("views", 1)},
            "training": {"memory_format": "channels-last"},
        }
    )


def networks_of(case: dict[str, Any]) -> list[nn.Module]:
    design = Design(
        name="cnn",
        settings=Settings(widths=(4, 8), blocks=(1, 1)),
        channels=case.get("channels", 1),
        depth=case.get("depth", 1),
        size=(16, 24),
        outputs=3,
        fusion=case.get("fusion", "channels"),
        table=case.get("table"),
    )
    torch.manual_seed(0)
    made = [assemble(design).eval() for _ in range(case.get("members", 1))]
    for network in made:
        for parameter in network.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)  # far from its even start
    return made


@pytest.mark.parametrize("name", CASES)
def test_computes_what_the_run_predicts(name: str) -> None:
    """Beside the code that predicts for a run, for batches of any size."""
    case = CASES[name]
    plan, networks, settings = plan_of(case), networks_of(case), ClassSettings(classes=("a", "b"))
    images = torch.rand(4, case.get("channels", 1), case.get("depth", 1), 16, 24)
    table = ROWS if case.get("table") else None
    raw = Raw(images[:, :, 0] if images.shape[2] == 1 else images, None, (0, 1, 2, 3), table)
    task = load_task("classification")
    seen = Seers(task, settings, plan, networks).see(raw)
    expected = np.stack([task.combine(several) for several in seen])
    assert expected.std(0).min() > 1e-3  # images matter
    onnx = as_onnx(Graph(networks, plan), images[:3], None if table is None else table[:3])
    xml, weights = as_openvino(onnx)
    contents = {"model.onnx": onnx, "model.xml": xml, "model.bin": weights}
    for runtime in ("onnxruntime", "openvino"):
        compute = started(runtime, "fp32", contents, 1)
        for rows in (slice(0, 4), slice(2, 3)):
            given = None if table is None else table[rows].numpy()
            found = compute(images[rows].numpy(), given)
            assert np.allclose(found, expected[rows], rtol=1e-5, atol=1e-5), runtime


class Fickle(nn.Module):
    """What it computes depends on what it sees."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return flat[:, :2] if float(flat.sum()) > 0 else -flat[:, :2]


def test_a_network_that_cannot_be_exported_is_told() -> None:
    with pytest.raises(UsageError, match="the network cannot be exported"):
        as_onnx(Graph([Fickle()], plan_of({})), torch.rand(3, 1, 1, 16, 24), None)
