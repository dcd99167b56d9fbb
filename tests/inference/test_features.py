"""Features: what the classifier gets, any layer, slices joined; streamed, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from hounsfield.errors import UsageError
from hounsfield.inference import features
from hounsfield.inference.features import Extractor, write_features
from hounsfield.models import load
from hounsfield.models.assemble import Design, assemble
from hounsfield.models.fusion import LateFusion
from hounsfield.models.joined import Joined
from hounsfield.plan.schema import Plan


def made(name: str, size: tuple[int, int] = (32, 32), **how: Any) -> tuple[nn.Module, Any]:
    """An assembled network in evaluation mode, and its kind."""
    torch.manual_seed(0)
    kind = load(name)
    given: dict[str, Any] = {"channels": 1, "depth": 1, "outputs": 3, **how}
    network = assemble(Design(name, kind.Settings(), size=size, **given)).eval()
    return network, kind


@torch.no_grad()
@pytest.mark.parametrize("name", ["cnn", "simple-nn", "resnet18", "densenet121", "vgg11"])
def test_the_classifier_on_them_gives_the_prediction(name: str) -> None:
    network, kind = made(name)
    images = torch.rand(2, 1, 32, 32)
    found = Extractor(network, kind, Plan())(images)
    assert found.shape[0] == 2
    head = kind.head(network)
    last = head if isinstance(head, nn.Linear) else [*head.modules()][-1]
    assert torch.allclose(last(found), network(images), atol=1e-5)


@torch.no_grad()
def test_a_named_layer_is_averaged_over_places() -> None:
    network, kind = made("resnet18")
    images = torch.rand(2, 1, 32, 32)
    found = Extractor(network, kind, Plan(), "layer2")(images)
    oracle = images
    for name in ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2"):
        oracle = network.get_submodule(name)(oracle)
    assert torch.allclose(found, oracle.mean((2, 3)), atol=1e-6)
    assert found.shape == (2, 128)


@torch.no_grad()
def test_transformers_keep_channels_last() -> None:
    network, kind = made("swin_tiny_patch4_window7_224", (56, 56), channels=3)
    images = torch.rand(1, 3, 56, 56)
    found = Extractor(network, kind, Plan(), "layers.1")(images)
    oracle = network.layers[1](network.layers[0](network.patch_embed(images)))
    assert torch.allclose(found, oracle.mean((1, 2)), atol=1e-5)
    assert found.shape == (1, 192)


@torch.no_grad()
def test_slices_are_joined_as_the_network_joins_them() -> None:
    images = torch.rand(2, 1, 4, 16, 16)
    for fusion in ("late", "late-each"):
        network, kind = made("simple-nn", (16, 16), depth=4, fusion=fusion)
        assert isinstance(network, LateFusion)
        network.weights.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]))
        found = Extractor(network, kind, Plan())(images)
        each = [network.bodies[d if fusion == "late-each" else 0] for d in range(4)]
        per_slice = [body[:-1](images[:, :, d]) for d, body in enumerate(each)]
        oracle = sum(w * one for w, one in zip(network.weights, per_slice, strict=True))
        assert torch.allclose(found, oracle, atol=1e-6)
    network, kind = made("cnn", (16, 16), depth=4, fusion="attention")
    assert isinstance(network, Joined)
    found = Extractor(network, kind, Plan())(images)
    assert torch.allclose(network.classifier(found), network(images), atol=1e-5)
    stage = Extractor(network, kind, Plan(), "body.0")(images)
    body: Any = network.body.body
    alone = [Extractor(body, kind, Plan(), "body.0")(images[:, :, d]) for d in range(4)]
    assert torch.allclose(stage, torch.stack(alone).mean(0), atol=1e-5)
    network, kind = made("cnn", (16, 16), depth=4, fusion="volume")
    found = Extractor(network, kind, Plan())(images)
    assert torch.allclose(network.classifier(found), network(images), atol=1e-5)


def test_a_layer_that_is_not_there_is_refused() -> None:
    network, kind = made("resnet18")
    with pytest.raises(UsageError, match="did you mean 'layer4'"):
        Extractor(network, kind, Plan(), "layer5")(torch.rand(1, 1, 32, 32))


def front(count: int) -> pl.DataFrame:
    text = [f"c{n}" for n in range(count)]
    return pl.DataFrame({"id": text, "patient": text, "label": text, "split": ["train"] * count})


def rows(count: int, width: int = 8, batch: int = 5) -> Iterator[tuple[list[str], Any]]:
    for start in range(0, count, batch):
        names = [f"c{n}" for n in range(start, min(start + batch, count))]
        values = np.arange(start, start + len(names), dtype=np.float32)[:, None]
        yield names, values + np.arange(width, dtype=np.float32) / 100


def test_row_groups_are_written_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "GROUP_BYTES", 10 * 4 * 8)  # ten rows of eight
    held: list[int] = []
    parts = features._table

    def table(*given: Any) -> pl.DataFrame:
        held.append(len(given[1]))
        return parts(*given)

    monkeypatch.setattr(features, "_table", table)
    path = tmp_path / "f.parquet"
    assert write_features(path, front(43), rows(43)) == (43, 8)
    assert held == [10, 10, 10, 10, 3]
    read = pl.read_parquet(path)
    assert read.columns == ["id", "patient", "label", "split", *(f"f{n:04d}" for n in range(8))]
    assert read["id"].to_list() == [f"c{n}" for n in range(43)]
    assert np.allclose(read["f0003"].to_numpy(), np.arange(43) + 0.03)
    assert read.schema["f0000"] == pl.Float32
    assert [one.name for one in tmp_path.iterdir()] == ["f.parquet"]


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> Iterator[tuple[list[str], Any]]:
        yield from rows(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path / "f.parquet", front(10), stopped())
    assert list(tmp_path.iterdir()) == []
