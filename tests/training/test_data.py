"""Orders of cases, and the plain loader for a loop of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import hounsfield as hf
from hounsfield.errors import UsageError
from hounsfield.preprocessing.normalise import normalise
from hounsfield.run import Run
from hounsfield.training.data import CaseDataset, EpochSampler, batches
from hounsfield.workflow.training import study_of


def order(sampler: EpochSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_an_order_is_of_the_seed_and_the_epoch_alone() -> None:
    first, again, other = EpochSampler(50, 3), EpochSampler(50, 3), EpochSampler(50, 4)
    order(again, 7)
    list(again)
    assert order(first, 2) == order(again, 2)
    assert sorted(order(first, 2)) == list(range(50))
    assert order(first, 2) != order(first, 3)
    assert order(first, 2) != order(other, 2)


def test_rare_cases_are_drawn_by_their_weights() -> None:
    weights = np.array([1 / 900] * 900 + [1 / 100] * 100)
    sampler = EpochSampler(1000, 0, weights)
    assert order(sampler, 1) == order(EpochSampler(1000, 0, weights), 1)
    rare = np.mean([np.mean(np.array(order(sampler, epoch)) >= 900) for epoch in range(20)])
    assert rare == pytest.approx(0.5, abs=0.02)  # 6 standard errors


def test_a_last_batch_of_one_is_left_out_of_training_alone(tiny_run: Run) -> None:
    study = study_of(tiny_run)
    cases = tiny_run.split.cases("train")[:9]
    dataset = CaseDataset(study.cache, cases, None)
    assert [len(raw.rows) for raw in batches(dataset, 4, EpochSampler(9, 0))] == [4, 4]
    assert [len(raw.rows) for raw in batches(dataset, 4)] == [4, 4, 1]
    assert [len(raw.rows) for raw in batches(dataset, 5, EpochSampler(9, 0))] == [5, 4]
    one = CaseDataset(study.cache, cases[:1], None)
    assert [len(raw.rows) for raw in batches(one, 4, EpochSampler(1, 0))] == [1]


def test_the_loader_gives_what_the_network_sees(tiny_run: Run) -> None:
    loader = hf.loader(tiny_run, "test")
    assert isinstance(loader, torch.utils.data.DataLoader)
    images = torch.cat([images for images, _ in loader])
    targets = torch.cat([targets for _, targets in loader])
    assert (images.shape, images.dtype) == ((40, 1, 12, 12), torch.float32)
    assert targets.dtype == torch.int64
    study = study_of(tiny_run)
    cases = tiny_run.split.cases("test")
    stored = torch.from_numpy(study.cache.images(cases)[:, :, 0])
    assert torch.equal(images, normalise(stored, study.plan.preprocessing))
    assert targets.tolist() == study.truths(cases)


def test_the_training_part_comes_anew_and_is_normalised(tiny_run: Run) -> None:
    loader = hf.loader(tiny_run.path, "train")
    first, second = (torch.cat([images for images, _ in loader]) for _ in range(2))
    assert first.shape == (60, 1, 12, 12)
    assert not torch.equal(first, second)
    assert float(first.mean()) == pytest.approx(0, abs=1e-4)
    assert float(first.std()) == pytest.approx(1, abs=1e-3)


def test_five_lines_of_a_loop_learn(tiny_run: Run) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses: list[Any] = []
    for _ in range(5):
        for images, targets in hf.loader(tiny_run, "train"):
            loss = nn.functional.cross_entropy(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])


def test_a_part_that_is_not_there(tiny_run: Run) -> None:
    with pytest.raises(UsageError, match="no part 'trian'") as caught:
        hf.loader(tiny_run, "trian")
    assert "'train'" in str(caught.value)
