"""A run's whole network: what is assembled, what is refused, what is inside."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import torch
from torch import nn

from hounsfield.errors import UsageError
from hounsfield.models import load
from hounsfield.models.assemble import Design, assemble, bodies, body_shape, headless, heads
from hounsfield.models.contract import Shape
from hounsfield.models.fusion import AttentionPool, LateFusion, entering
from hounsfield.models.joined import Joined
from hounsfield.preprocessing.table import TableSpec

TINY = {"widths": (4, 8), "blocks": (1, 1)}
FUSIONS = ("channels", "late", "late-each", "attention", "volume")


def design(name: str = "cnn", fusion: str = "channels", depth: int = 3) -> Design:
    kind = load(name)
    settings = kind.Settings(**TINY) if name == "cnn" else kind.Settings()
    return Design(name, settings, 2, depth, (32, 36), 3, fusion)


@pytest.fixture(scope="module")
def table() -> TableSpec:
    rows = pl.DataFrame({"age": [30.0, 50.0, None], "sex": ["F", "M", "F"]})
    return TableSpec.fit(rows, ("age", "sex"))


MADE = [(name, f) for name in ("cnn", "simple-nn", "resnet18") for f in FUSIONS]
MADE = [(name, fusion) for name, fusion in MADE if fusion != "volume" or name == "cnn"]


@pytest.mark.parametrize(("name", "fusion"), MADE)
def test_images_in_logits_out(name: str, fusion: str) -> None:
    asked = design(name, fusion)
    network = assemble(asked).eval()
    images = torch.randn(2, 2, 3, 32, 36)
    assert network(entering(images, fusion)).shape == (2, 3)
    inside = bodies(network)
    assert len(inside) == (3 if fusion == "late-each" else 1)
    channels = 6 if fusion == "channels" else 2
    assert body_shape(asked).channels == channels
    learning = heads(load(name), network)
    learned = {id(p) for part in learning for p in part.parameters()}
    every = {id(p) for p in network.parameters()}
    assert learned
    assert learned < every  # a frozen body is more than nothing


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_gradient_reaches_every_weight(fusion: str) -> None:
    torch.manual_seed(0)
    network = assemble(design(fusion=fusion))
    images = entering(torch.randn(4, 2, 3, 32, 36), fusion)
    nn.functional.cross_entropy(network(images), torch.tensor([0, 1, 2, 0])).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None]
    assert not still


def test_a_table_joins_before_the_classifier(table: TableSpec) -> None:
    rows = torch.from_numpy(table.encode(pl.DataFrame({"age": [40.0, None], "sex": ["M", None]})))
    images = torch.randn(2, 2, 3, 32, 36)
    for fusion in ("channels", "attention", "volume"):
        network = assemble(replace(design(fusion=fusion), table=table)).eval()
        assert isinstance(network, Joined)
        entered = entering(images, fusion)
        given = network(entered, table=rows)
        assert given.shape == (2, 3)
        other = network(entered, table=rows.flip(0))
        assert not torch.allclose(given, other)  # the row matters
        assert network.classifier in heads(load("cnn"), network)
        assert len(bodies(network)) == 1


@pytest.mark.parametrize(("name", "width"), [("cnn", 8), ("resnet18", 512)])
def test_headless_gives_the_features_before_the_classifier(name: str, width: int) -> None:
    kind = load(name)
    shape = Shape(3, 5, (32, 36))
    settings = kind.Settings(**TINY) if name == "cnn" else kind.Settings()
    torch.manual_seed(1)
    whole = kind.build(settings, shape).eval()
    torch.manual_seed(1)
    cut, features = headless(kind, kind.build(settings, shape).eval(), shape)
    assert features == width
    images = torch.randn(2, 3, 32, 36)
    torch.testing.assert_close(kind.head(whole)(cut(images).flatten(1)), whole(images))


def test_resnet50_without_classifier_has_2048_features() -> None:
    kind = load("resnet50")
    shape = Shape(3, 2, (32, 32))
    network, width = headless(kind, kind.build(kind.Settings(), shape), shape)
    assert width == 2048
    assert network.training


def test_headless_keeps_the_statistics_of_normalisation() -> None:
    kind, shape = load("cnn"), Shape(3, 5, (32, 36))
    network, _ = headless(kind, kind.build(kind.Settings(**TINY), shape), shape)
    assert network.training
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(int(norm.num_batches_tracked) == 0 for norm in norms)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (design("resnet18", "volume"), "takes pictures, model.fusion is volume"),
        (design(fusion="late", depth=1), "is late, but the network gets one slice"),
        (design(fusion="volume", depth=1), "is volume, but the network gets one slice"),
    ],
)
def test_what_cannot_be_is_refused(asked: Design, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        assemble(asked)
    assert "--" in str(caught.value)  # the flag that helps


def test_late_fusion_has_no_place_for_a_table(table: TableSpec) -> None:
    with pytest.raises(UsageError, match="a table has no place in it"):
        assemble(replace(design(fusion="late"), table=table))


def test_what_is_fused_is_what_was_asked() -> None:
    late = assemble(replace(design(fusion="late"), kind="labels"))
    assert isinstance(late, LateFusion)
    assert late.outputs == "labels"
    pooled = assemble(design(fusion="attention"))
    assert isinstance(pooled, Joined)
    assert isinstance(pooled.body, AttentionPool)


def test_the_attention_over_slices_learns_when_the_bodies_are_frozen(table: TableSpec) -> None:
    network = assemble(replace(design(fusion="attention"), table=table))
    learning = {p for module in heads(load("cnn"), network) for p in module.parameters()}
    frozen = {p for body in bodies(network) for p in body.parameters()}
    assert learning | frozen == set(network.parameters())
    assert not learning & frozen
