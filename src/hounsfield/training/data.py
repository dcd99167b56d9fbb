"""From the cache to batches: one order an epoch, drawn from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.preprocessing.cache import Cache
from hounsfield.preprocessing.normalise import normalise
from hounsfield.tasks.contract import Targets, TargetStore

if TYPE_CHECKING:
    from hounsfield.training.study import Study


@dataclass(frozen=True, eq=False)
class Raw:
    """Prepared images in [0, 1], their targets, their rows in the part and in the table, and what
    they are called in every table of the run.

    Images are (B, C, Y, X), or (B, C, D, Y, X) of several slices; `table` is (B, W).
    """

    images: Tensor
    targets: Targets | None
    rows: tuple[int, ...]
    table: Tensor | None = None
    cases: tuple[str, ...] = ()


class CaseDataset(Dataset[Raw]):
    """The cases of one part, read from the cache a batch at a time."""

    def __init__(
        self,
        cache: Cache,
        cases: Sequence[str],
        targets: TargetStore | None,
        table: NDArray[np.float32] | None = None,
    ) -> None:
        self.cache, self.cases, self.targets = cache, tuple(cases), targets
        self.table = None if table is None else torch.from_numpy(table)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, row: int) -> Raw:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> Raw:
        images = torch.from_numpy(self.cache.images([self.cases[row] for row in rows]))
        flat = images[:, :, 0] if images.shape[2] == 1 else images
        targets = self.targets.batch(rows) if self.targets is not None else None
        table = None if self.table is None else self.table[rows]
        return Raw(flat, targets, tuple(rows), table, tuple(self.cases[row] for row in rows))


class EpochSampler(Sampler[int]):
    """A new order each epoch, from (seed, epoch) alone; with weights, cases are drawn anew.

    Lightning calls `set_epoch` before each one.
    """

    def __init__(self, size: int, seed: int, weights: np.ndarray | None = None) -> None:
        self.size, self.seed, self.weights, self.epoch = size, seed, weights, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.weights is None:
            return iter(rng.permutation(self.size).tolist())
        share = self.weights / self.weights.sum()
        return iter(rng.choice(self.size, self.size, p=share).tolist())


def as_it_is(raw: Any) -> Any:
    """The data set has already collated."""
    return raw


def batches(
    dataset: CaseDataset, batch: int, sampler: EpochSampler | None = None
) -> DataLoader[Raw]:
    """A loader in this process: reading a batch from the cache takes less than handing it over.

    A training loader drops a last batch of one image, which batch normalisation cannot use.
    """
    short = sampler is not None and len(dataset) % batch == 1 and len(dataset) > 1
    return DataLoader(
        dataset, batch_size=batch, sampler=sampler, collate_fn=as_it_is, drop_last=short
    )


def plain_loader(study: Study, part: str, fold: int = 0) -> DataLoader[Any]:
    """(images, targets) batches of a part: normalised, and for "train" in a new order each time."""
    train, val = study.run.split.fold(fold)
    parts = {"train": train, "val": val, "test": study.run.split.cases("test")}
    if part not in parts:
        raise UsageError(f"no part {part!r}", remedy=did_you_mean(part, parts))
    cases = parts[part]

    def collate(raw: Any) -> tuple[Tensor, Any]:
        return normalise(raw.images, study.plan.preprocessing), raw.targets.plain()

    return DataLoader(
        study.dataset(cases, targets=True),
        batch_size=study.plan.training.batch,
        shuffle=part == "train",
        collate_fn=collate,
    )
