"""Features of prepared images from a layer of a network, streamed to a Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hounsfield.errors import StorageError, UsageError, did_you_mean
from hounsfield.files import storage_error, whole_path
from hounsfield.models.assemble import bodies
from hounsfield.models.contract import Network
from hounsfield.models.fusion import LateFusion
from hounsfield.models.joined import Joined
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.normalise import normalise
from hounsfield.training.data import CaseDataset, batches
from hounsfield.training.learner import as_taken, on

GROUP_BYTES = 16 << 20  # of features that are in memory at once, besides a batch's images
FIRST = ("id", "patient", "label", "split")
Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network and the place where its features are read.

    `layer` names a module of the network (of each body, where there are several); empty: what
    the classifier gets. Where an image joins a table, the image's features alone.
    """

    network: nn.Module
    kind: Network[Any]
    plan: Plan
    layer: str = ""

    def each(
        self, dataset: CaseDataset, progress: Progress | None = None
    ) -> Iterator[tuple[list[str], Floats]]:
        """Cases and their features (B, F), a batch at a time.

        Raises:
            UsageError: there is no such layer, or it gives no features.
        """
        device = next(self.network.parameters()).device
        torch.set_num_threads(self.plan.training.threads)
        done, halved = 0, self.plan.training.precision == "bf16"
        self.network.eval()
        for raw in batches(dataset, self.plan.training.batch):
            with (
                torch.inference_mode(),
                torch.autocast(device.type, torch.bfloat16, enabled=halved),
            ):
                images = normalise(raw.images.to(device), self.plan.preprocessing)
                found = self(as_taken(images, self.plan), on(raw.table, device))
            yield [dataset.cases[row] for row in raw.rows], found.cpu().numpy()
            done += len(raw.rows)
            if progress:
                progress(done, len(dataset))

    def __call__(self, images: Tensor, table: Tensor | None = None) -> Tensor:
        """(B, …) as the network takes them -> (B, F); slices by the run's weights, or evenly."""
        caught: dict[int, Tensor] = {}
        hooks = [self._hook(place, n, caught) for n, place in enumerate(self._places())]
        try:
            self.network(images) if table is None else self.network(images, table=table)
        finally:
            for hook in hooks:
                hook.remove()
        if len(caught) < len(hooks):
            raise UsageError(f"the layer {self.layer!r} takes no part in a prediction")
        several = [self._pooled(one) for one in caught.values()]
        return _joined(several, len(images), self.network)

    def _places(self) -> list[nn.Module]:
        if not self.layer:
            if isinstance(self.network, Joined):
                return [self.network.body]
            return [self.kind.head(body) for body in bodies(self.network)]
        found = [dict(body.named_modules()).get(self.layer) for body in bodies(self.network)]
        known = [place for place in found if place is not None]
        if len(known) < len(found):
            body = bodies(self.network)[0]
            names = self.kind.layers(body) or [name for name, _ in body.named_modules() if name]
            raise UsageError(f"no layer {self.layer!r}", remedy=did_you_mean(self.layer, names))
        return known

    def _hook(self, place: nn.Module, number: int, caught: dict[int, Tensor]) -> Any:
        """Keeps what the classifier gets, or what a layer gives, at its last call."""

        def given(_: nn.Module, __: Any, result: Any) -> None:
            caught[number] = result

        def taken(_: nn.Module, images: Any) -> None:
            caught[number] = images[0]

        if self.layer or isinstance(self.network, Joined):
            return place.register_forward_hook(given)
        return place.register_forward_pre_hook(taken)

    def _pooled(self, given: Any) -> Tensor:
        """(B, F): places and tokens are averaged."""
        if not isinstance(given, Tensor) or not 2 <= given.ndim <= 5:
            raise UsageError(
                f"the layer {self.layer!r} gives no features",
                expected="one tensor (B, F), (B, tokens, F) or (B, F, …)",
                remedy="name another layer",
            )
        features: Tensor = given.float()
        if features.ndim == 2:
            return features
        formats = {str(getattr(body, "output_fmt", "")) for body in bodies(self.network)}
        last = features.ndim == 3 or any(one.endswith("NHWC") for one in formats)
        axes = range(1, features.ndim - 1) if last else range(2, features.ndim)
        return features.mean(tuple(axes))


def _joined(several: Sequence[Tensor], images: int, network: nn.Module) -> Tensor:
    """The features of all slices as one vector an image."""
    features = torch.stack(list(several), 1).flatten(0, 1)  # one body: as it is
    slices = len(features) // images
    if slices == 1:
        return features
    weights = network.weights if isinstance(network, LateFusion) else None
    per_slice = features.reshape(images, slices, -1)
    if weights is None:
        return per_slice.mean(1)
    return torch.einsum("bdf,d->bf", per_slice, weights)


def write_features(
    path: Path, front: pl.DataFrame, rows: Iterable[tuple[list[str], Floats]]
) -> tuple[int, int]:
    """One row a case, `front` and then f0000…; whole or not at all; its height and width.

    `front` has the columns of FIRST. What is in memory does not grow with the number of cases.

    Raises:
        StorageError: the disk is full, or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as scratch:
            parts, height, width = [], 0, 0
            for number, (cases, features) in enumerate(_groups(rows)):
                parts.append(Path(scratch) / f"{number:06d}.parquet")
                table = _table(front, cases, features)
                table.write_parquet(parts[-1])
                height, width = height + table.height, features.shape[1]
            with whole_path(path, suffix=path.suffix) as part:
                pl.scan_parquet(parts).sink_parquet(part, row_group_size=_rows(width))
    except pl.exceptions.ComputeError as error:  # hides what the disk says
        raise StorageError(
            "the features cannot be written", file=path, remedy=str(error)
        ) from error
    except OSError as error:
        raise storage_error(error, path) from error
    return height, width


def _rows(width: int) -> int:
    return max(1, GROUP_BYTES // (4 * max(1, width)))


def _groups(
    rows: Iterable[tuple[list[str], Floats]],
) -> Iterator[tuple[list[str], Floats]]:
    """Batches together until they are a row group."""
    cases: list[str] = []
    waiting: list[Floats] = []
    for names, features in rows:
        cases += names
        waiting.append(features)
        if len(cases) >= _rows(features.shape[1]):
            yield cases, np.concatenate(waiting)
            cases, waiting = [], []
    if waiting:
        yield cases, np.concatenate(waiting)


def _table(front: pl.DataFrame, cases: list[str], features: Floats) -> pl.DataFrame:
    order = pl.DataFrame({"id": cases}, schema={"id": pl.String})
    mine = order.join(front, on="id", how="left", maintain_order="left").select(FIRST)
    names = [f"f{n:04d}" for n in range(features.shape[1])]
    return pl.concat([mine, pl.DataFrame(features, schema=names)], how="horizontal")
