"""A table beside an image's features."""

from __future__ import annotations

import polars as pl
import torch

from hounsfield.models.joined import Joined, TableEncoder
from hounsfield.preprocessing.table import TableSpec

CASES = pl.DataFrame(
    {"age": [20.0, 60.0, 40.0, 30.0], "sex": ["F", "M", "F", None], "site": ["a", "a", "b", "a"]}
)


def spec() -> TableSpec:
    return TableSpec.fit(CASES, ["age", "sex", "site"])


def test_the_table_reaches_the_classifier() -> None:
    torch.manual_seed(0)
    network = Joined(torch.nn.Flatten(), 6, 2, spec()).eval()
    images, rows = torch.randn(4, 1, 2, 3), torch.from_numpy(spec().encode(CASES))
    logits = network(images, rows)
    assert logits.shape == (4, 2)
    older = rows.clone()
    older[1, 0] += 1
    changed = (network(images, older) - logits).abs().sum(1) > 1e-6
    assert changed.tolist() == [False, True, False, False]


def test_an_unseen_category_is_the_mean_of_those_seen() -> None:
    torch.manual_seed(0)
    encoder = TableEncoder(spec())
    sex, site = encoder.categories
    a, b = site(torch.tensor([1, 2]))
    assert torch.allclose(site(torch.tensor([0]))[0], 0.75 * a + 0.25 * b)
    f, m = sex(torch.tensor([1, 2]))
    assert torch.allclose(sex(torch.tensor([0]))[0], (2 * f + m) / 3)  # the missing one not


def test_columns_learn() -> None:
    """Every part of the encoder gets a gradient; rows that miss a value too."""
    encoder = TableEncoder(spec())
    encoder(torch.from_numpy(spec().encode(CASES))).square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in encoder.parameters())


def test_a_column_can_matter_in_the_middle() -> None:
    """Neither the young nor the old: a linear classifier of age alone cannot tell."""
    torch.manual_seed(0)
    ages = torch.linspace(-2, 2, 64)[:, None]
    truth = (ages[:, 0].abs() < 1).float()
    middle = TableSpec.fit(pl.DataFrame({"age": [20.0, 60.0]}), ["age"])
    network = Joined(torch.nn.Flatten(), 1, 1, middle)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(300):
        logits = network(torch.zeros(64, 1), ages)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((logits > 0) == (truth > 0)).float().mean() > 0.95
