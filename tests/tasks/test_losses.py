"""Losses against other people's, and against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import FocalLoss
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from hounsfield.tasks.classification import TASK, Classes, ClassSettings
from hounsfield.tasks.contract import Batch
from hounsfield.tasks.losses import class_loss, class_weights, label_loss, positive_weights

WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


@pytest.fixture
def logits() -> torch.Tensor:
    return 3 * torch.randn(20, 3, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def truth() -> torch.Tensor:
    return torch.randint(0, 3, (20,), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_monais(
    weights: torch.Tensor | None, gamma: float, logits: torch.Tensor, truth: torch.Tensor
) -> None:
    kinds = F.one_hot(truth, 3).float()
    theirs = FocalLoss(gamma=gamma, use_softmax=True, weight=weights, reduction="none")
    total = theirs(logits, kinds).sum()
    expected = total / (len(truth) if weights is None else weights[truth].sum())
    ours = class_loss(logits, truth, weights, smoothing=0.0, focal=gamma)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_without_focus_shares_of_classes_are_the_cross_entropy(
    weights: torch.Tensor | None, logits: torch.Tensor, truth: torch.Tensor
) -> None:
    """One formula serves indices, shares and smoothing."""
    kinds = F.one_hot(truth, 3).float()
    expected = F.cross_entropy(logits, truth, weights, label_smoothing=0.1)
    for given in (truth, kinds):
        ours = class_loss(logits, given, weights, smoothing=0.1, focal=0.0)
        torch.testing.assert_close(ours, expected)
    almost = class_loss(logits, truth, weights, smoothing=0.1, focal=1e-7)
    torch.testing.assert_close(almost, expected)


def test_shares_between_classes_are_torchs(logits: torch.Tensor) -> None:
    shares = torch.rand(20, 3, generator=torch.Generator().manual_seed(6)).softmax(1)
    ours = class_loss(logits, shares, None, smoothing=0.2, focal=0.0)
    torch.testing.assert_close(ours, F.cross_entropy(logits, shares, label_smoothing=0.2))


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_of_labels_is_torchvisions(gamma: float, logits: torch.Tensor) -> None:
    marks = (torch.rand(20, 3, generator=torch.Generator().manual_seed(7)) < 0.4).long()
    expected = sigmoid_focal_loss(logits, marks.float(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(label_loss(logits, marks, None, focal=gamma), expected)
    # alpha weighs positives against negatives: 0.75 to 0.25 is a weight of 3
    expected = 4 * sigmoid_focal_loss(logits, marks.float(), 0.75, gamma, "mean")
    ours = label_loss(logits, marks, torch.full((3,), 3.0), focal=gamma)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_sure_network_has_a_finite_gradient(sign: float) -> None:
    sure = torch.full((2, 3), -200.0 * sign)
    sure[:, 1] = 200.0 * sign
    for loss in (
        lambda x: class_loss(x, torch.tensor([1, 1]), None, smoothing=0.0, focal=0.5),
        lambda x: label_loss(x, torch.tensor([[0, 1, 0]] * 2), None, focal=0.5),
    ):
        logits = sure.clone().requires_grad_()
        loss(logits).backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_weights_by_hand() -> None:
    assert class_weights([30, 10]) == pytest.approx([40 / 60, 40 / 20])
    assert class_weights([30, 0], "effective").tolist() == pytest.approx(
        class_weights([30, 1], "effective").tolist()
    )
    # effective numbers 1 + 0.5 + 0.25 = 1.75 of three cases, 1 of one
    inverse = np.array([1 / 1.75, 1])
    expected = 2 * inverse / inverse.sum()
    assert class_weights([3, 1], "effective", 0.5) == pytest.approx(expected)
    assert class_weights([300, 2], "effective", 0.0) == pytest.approx([1, 1])
    marks = np.array([[1, 0], [0, 0], [0, 0], [0, 1], [1, 1]])
    assert positive_weights(marks) == pytest.approx([3 / 2, 3 / 2])
    assert positive_weights(marks[:, :1], "effective", 0.5) == pytest.approx([1.75 / 1.5])
    assert positive_weights(np.zeros((4, 1))) == pytest.approx([4.0])


def test_effective_numbers_end_at_inverse_frequencies() -> None:
    near = class_weights([500, 20], "effective", 1 - 1e-9)
    plain = class_weights([500, 20])
    assert near / near.sum() == pytest.approx(plain / plain.sum(), rel=1e-5)


def test_the_task_takes_its_loss_from_its_settings(
    logits: torch.Tensor, truth: torch.Tensor
) -> None:
    settings = ClassSettings(classes=("a", "b", "c"), smoothing=0.1, focal=2.0)
    batch = Batch(torch.zeros(20, 1, 4, 4), Classes(truth))
    found = TASK.losses(lambda images: logits, batch, WEIGHTS, settings)
    expected = class_loss(logits, truth, WEIGHTS, smoothing=0.1, focal=2.0)
    assert found == {"loss": expected}
    marks = F.one_hot(truth, 3)
    several = settings.model_copy(update={"multilabel": True})
    batch = Batch(batch.images, Classes(marks))
    found = TASK.losses(lambda images: logits, batch, WEIGHTS, several)
    assert found == {"loss": label_loss(logits, marks, WEIGHTS, focal=2.0)}
