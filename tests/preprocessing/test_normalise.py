"""The network's scale: checked against NumPy on the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hounsfield.errors import UsageError
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.normalise import normalise
from hounsfield.preprocessing.statistics import Moments

IMAGES = torch.rand(5, 2, 1, 9, 7, generator=torch.Generator().manual_seed(0)) * torch.tensor(
    [0.4, 1.0]
).view(1, 2, 1, 1, 1)


def test_data_set_statistics_give_mean_0_and_deviation_1() -> None:
    moments = Moments.of(IMAGES.transpose(0, 1).numpy())
    how = Preprocessing(mean=tuple(moments.mean), std=tuple(moments.std))
    scaled = normalise(IMAGES, how).numpy().astype(np.float64)
    assert np.abs(scaled.mean((0, 2, 3, 4))).max() < 1e-6
    assert np.abs(scaled.std((0, 2, 3, 4)) - 1).max() < 1e-6
    assert scaled[0].std() != pytest.approx(1, abs=1e-3)


def test_each_image_by_itself() -> None:
    scaled = normalise(IMAGES, Preprocessing(normalise="image")).numpy().astype(np.float64)
    assert np.abs(scaled.mean((2, 3, 4))).max() < 1e-6
    assert np.abs(scaled.std((2, 3, 4)) - 1).max() < 1e-5
    assert (normalise(torch.ones(1, 1, 8, 8), Preprocessing(normalise="image")) == 0).all()


def test_plain_ranges() -> None:
    assert torch.equal(normalise(IMAGES, Preprocessing(normalise="zero-one")), IMAGES)
    ours = normalise(torch.tensor([[[0.0, 0.5, 1.0]]]), Preprocessing(normalise="minus-one-one"))
    assert ours.tolist() == [[[-1.0, 0.0, 1.0]]]


def test_missing_statistics_are_asked_for() -> None:
    with pytest.raises(UsageError, match="0 means for 2 channels"):
        normalise(IMAGES, Preprocessing())
