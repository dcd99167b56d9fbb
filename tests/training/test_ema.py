"""The average of weights, against its formula."""

from __future__ import annotations

import torch
from torch import nn

from hounsfield.training.ema import Average


def test_the_average_is_the_formulas() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = Average(network, 0.9)
    expected = {k: v.clone().double() for k, v in network.state_dict().items()}
    for step in range(1, 101):
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights))
        network(torch.randn(8, 3))  # moves the running statistics
        average.update(network)
        decay = min(0.9, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    found = average.network.state_dict()
    assert found.pop("1.num_batches_tracked") == 100
    for name, value in found.items():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-5, rtol=1e-5)
    assert average.steps == 100


def test_the_average_learns_nothing_itself() -> None:
    network = nn.Linear(2, 2)
    average = Average(network, 0.5)
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in network.parameters())
    before = average.network.weight.clone()
    with torch.no_grad():
        network.weight.add_(1)
    assert torch.equal(average.network.weight, before)
