"""How slices enter a network, against sums done in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import Tensor, nn

from hounsfield.models.fusion import AttentionPool, LateFusion, bound, entering


class Counts(nn.Module):
    """Logits of a slice that tell its channels apart: sum of each channel, and a third."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        sums = images.sum((2, 3))  # (B, C)
        return self.factor * torch.stack([sums[:, 0], sums[:, 1], sums[:, 0] * sums[:, 1]], 1)


def slices(seed: int = 0) -> Tensor:
    return torch.randn(4, 2, 3, 5, 6, generator=torch.Generator().manual_seed(seed)) * 0.3


def test_slices_become_channels_slice_by_slice() -> None:
    images = slices()
    entered = entering(images, "channels")
    assert entered.shape == (4, 6, 5, 6)
    np.testing.assert_array_equal(entered[:, 4], images[:, 1, 1])  # channel 1, slice 1
    for fusion in ("late", "late-each", "attention", "volume"):
        assert entering(images, fusion) is images
    pictures = images[:, :, 0]
    assert entering(pictures, "channels") is pictures


WEIGHTS = np.array([0.5, 0.3, 0.2])


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
def test_late_is_the_weighted_sum(kind: str, each: bool) -> None:
    bodies = [Counts(factor) for factor in (1.0, -0.5, 2.0)] if each else [Counts(1.3)]
    fusion = LateFusion(bodies, 3, kind)  # type: ignore[arg-type]
    fusion.weights.copy_(torch.from_numpy(WEIGHTS))
    images = slices()
    logits = fusion(images).double().numpy()
    alone = np.stack(
        [bodies[d if each else 0](images[:, :, d]).double().numpy() for d in range(3)], 1
    )
    if kind == "values":
        np.testing.assert_allclose(logits, np.einsum("ndk,d->nk", alone, WEIGHTS), atol=1e-5)
        return
    squash = (lambda x: softmax(x, -1)) if kind == "classes" else expit
    expected = np.einsum("ndk,d->nk", squash(alone), WEIGHTS)
    np.testing.assert_allclose(squash(logits), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_a_weight_of_nothing_is_no_nan(kind: str) -> None:
    fusion = LateFusion([Counts()], 3, kind)  # type: ignore[arg-type]
    fusion.weights.copy_(torch.tensor([0.0, 1.0, 0.0]))
    images = slices()
    images[0, 0, 1] = 40.0  # logits of 1200 and −1200: no probability but 0 and 1
    logits = fusion(images)
    assert torch.isfinite(logits).all()
    squash = (lambda x: x.softmax(-1)) if kind == "classes" else torch.sigmoid
    alone = fusion.slices(images)[:, 1]
    torch.testing.assert_close(squash(logits), squash(alone))


def test_weights_are_in_the_state_and_even_at_first() -> None:
    fusion = LateFusion([Counts()], 4, "classes")
    np.testing.assert_allclose(fusion.state_dict()["weights"], np.full(4, 0.25))
    assert all(name != "weights" for name, _ in fusion.named_parameters())


class Mean(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_attention_weighs_slices_to_one() -> None:
    torch.manual_seed(3)
    pool = AttentionPool(Mean(), width=2, hidden=8)
    images = slices()
    pooled = pool(images)
    features = images.mean((3, 4)).transpose(1, 2)  # (B, D, 2)
    scores = pool.score(pool.content(features) * pool.gate(features))[..., 0].detach().numpy()
    weights = softmax(scores, 1)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    expected = (weights[..., None] * features.numpy()).sum(1)
    np.testing.assert_allclose(pooled.detach(), expected, atol=1e-6)
    alike = images[:, :, :1].expand(-1, -1, 3, -1, -1)  # equal slices: their mean, whatever it is
    np.testing.assert_allclose(pool(alike).detach(), features[:, 0], atol=1e-6)
    np.testing.assert_allclose(pool(images.flip(2)).detach(), pooled.detach(), atol=1e-6)


def test_attention_learns_where_to_look() -> None:
    """A slice that stands out by its first feature decides by its second."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(256, 2, 4, 1, 1, generator=generator)
    images[:, 0] = 0.0
    where = torch.randint(0, 4, (256,), generator=generator)
    images[torch.arange(256), 0, where] = 4.0
    truth = (images[torch.arange(256), 1, where, 0, 0] > 0).long()
    network = nn.Sequential(AttentionPool(Mean(), 2, 16), nn.Linear(2, 2))
    optimizer = torch.optim.Adam(network.parameters(), 0.03)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), truth).backward()
        optimizer.step()
    accuracy = (network(images).argmax(1) == truth).float().mean()
    assert accuracy > 0.97  # a plain mean of four slices reaches about 2 in 3


def test_a_bound_network_takes_images_alone() -> None:
    class Both(nn.Module):
        def forward(self, images: Tensor, table: Tensor | None = None) -> Tensor:
            return images.sum() if table is None else table.sum()

    network, images, table = Both(), torch.ones(2), torch.full((3,), 2.0)
    assert bound(network, None)(images) == 2
    assert bound(network, table)(images) == 6
