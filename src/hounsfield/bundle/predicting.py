"""A bundle's predictions of a catalog: threads read and prepare while the network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hounsfield.bundle.opened import Bundle, Computing
from hounsfield.catalog.tables import Catalog
from hounsfield.inference.stream import Ready, Work, stream, work_of
from hounsfield.preprocessing.contract import Summary

AHEAD = 3  # batches that may be read before the network asks for them
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Answered:
    """Predictions of the cases that could be read, in the catalog's order.

    `unlike` says how each differs from the training data; `left_out` why others have no answer.
    """

    cases: tuple[str, ...]
    predictions: tuple[Any, ...]
    unlike: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Summaries:
    """What the images of cases were like before clipping."""

    known: Mapping[str, Summary]

    def summary(self, key: str) -> Summary:
        return self.known[key]


def answered(
    computing: Computing, catalog: Catalog, workers: int, progress: Progress | None = None
) -> Answered:
    """Predict all cases; nothing is stored on disk.

    Raises:
        InputError: the catalog's link to its files is gone. RunError: the network fails.
    """
    bundle, work = computing.bundle, work_of(catalog)
    table = _table(bundle, catalog, [one.case for one in work])
    known: dict[str, Summary] = {}
    left_out: dict[str, str] = {}
    predictions: dict[str, Any] = {}
    for group in _batches(computing, work, workers, left_out):
        for one in group:
            assert one.prepared is not None
            known[one.case] = one.prepared.summary
        for one, output in zip(group, _outputs(computing, group, table), strict=True):
            task: Any = bundle.task
            predictions[one.case] = task.from_output(np.float64(output), bundle.settings)
        if progress:
            progress(len(predictions) + len(left_out), len(work))
    cases = tuple(predictions)
    unlike = _unlike(bundle, catalog, Summaries(known), cases)
    return Answered(cases, tuple(predictions.values()), unlike, left_out)


def _batches(
    computing: Computing, work: Sequence[Work], workers: int, left_out: dict[str, str]
) -> Iterator[Sequence[Ready]]:
    """Prepared cases in batches; why a case has none goes into `left_out`."""
    manifest = computing.bundle.manifest
    cases = stream(
        work,
        manifest.preprocessing,
        manifest.shape,
        workers=workers,
        ahead=AHEAD * computing.batch,
    )
    batch: list[Ready] = []
    for one in cases:
        if one.prepared is None:
            left_out[one.case] = one.problem
            continue
        batch.append(one)
        if len(batch) == computing.batch:
            yield batch
            batch = []
    if batch:
        yield batch


def _outputs(
    computing: Computing, batch: Sequence[Ready], table: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    images = np.stack([one.prepared.array for one in batch if one.prepared is not None])
    rows = np.stack([table[one.case] for one in batch]) if table else None
    return computing.outputs(images, rows)


def _table(
    bundle: Bundle, catalog: Catalog, cases: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    if bundle.table is None:
        return {}
    rows = bundle.table.encode(_rows(catalog, cases))
    return dict(zip(cases, rows, strict=True))


def _rows(catalog: Catalog, cases: Sequence[str]) -> pl.DataFrame:
    order = pl.DataFrame({"case": list(cases)}, schema={"case": pl.String})
    return order.join(catalog.cases, on="case", how="left", maintain_order="left")


def _unlike(
    bundle: Bundle, catalog: Catalog, summaries: Summaries, cases: Sequence[str]
) -> tuple[str, ...]:
    """How each case differs from the training data, in its image and its table."""
    images = bundle.manifest.ranges.check(catalog, summaries, cases)
    if bundle.table is None:
        return tuple(images)
    rows = bundle.table.unlike(_rows(catalog, cases))
    return tuple("; ".join(filter(None, both)) for both in zip(images, rows, strict=True))
