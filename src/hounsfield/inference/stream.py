"""Cases that are read and prepared by threads while the network computes; nothing is stored.

The values are those of the preprocessing cache, to the last bit: a run predicts from that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.memory import keep_buffers
from hounsfield.preprocessing.contract import Prepared, Preprocessing
from hounsfield.preprocessing.making import reason
from hounsfield.preprocessing.packs import quantised, restored
from hounsfield.preprocessing.prepare import prepare_case

WAITING = 256 << 20  # bytes of prepared cases that may wait for the network


@dataclass(frozen=True)
class Work:
    """One case: its name, and where its images lie, whose channels are stacked."""

    case: str
    inputs: tuple[Source, ...]


@dataclass(frozen=True, eq=False)
class Ready:
    """A prepared case; `problem` says why there is none."""

    case: str
    prepared: Prepared | None
    problem: str = ""


def work_of(catalog: Catalog) -> list[Work]:
    """The cases of a catalog, in its order.

    Raises:
        InputError: the link to the files is gone.
    """
    names = [[one["image"] for one in inputs] for inputs in catalog.cases["inputs"]]
    flat = [name for mine in names for name in mine]
    sources = dict(zip(flat, catalog.sources(flat), strict=True))
    return [
        Work(case, tuple(sources[name] for name in mine))
        for case, mine in zip(catalog.cases["case"], names, strict=True)
    ]


def stream(
    work: Sequence[Work],
    settings: Preprocessing,
    shape: tuple[int, int, int, int],
    *,
    workers: int,
    ahead: int,
) -> Iterator[Ready]:
    """Each case, prepared to this shape (C, D, Y, X), in the order of the work.

    Up to `ahead` cases are read before they are asked for, fewer where they are large. Whoever
    takes them may compute meanwhile: reading, decoding and preparing release the GIL.
    """
    keep_buffers()
    most = max(workers, min(ahead, WAITING // (4 * int(np.prod(shape)))))
    waiting: deque[Future[Ready]] = deque()
    with ThreadPoolExecutor(workers, "read") as pool:
        try:
            for one in work:
                waiting.append(pool.submit(_ready, one, settings, shape))
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def prepared_case(images: Sequence[Image], settings: Preprocessing) -> Prepared:
    """The images of one case, their channels stacked, as the cache would give them back.

    Raises:
        InputError: they do not fit each other or the settings.
    """
    parts = prepare_case(images, settings)
    array = np.concatenate([part.array for part in parts])
    return replace(parts[0], array=as_stored(array))


def as_stored(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in [0, 1], rounded as the cache stores them."""
    back = np.empty(array.shape, np.float32)
    restored(quantised(array), back)
    return back


def _ready(work: Work, settings: Preprocessing, shape: tuple[int, int, int, int]) -> Ready:
    try:
        images = [formats.read(source) for source in work.inputs]
        found = prepared_case(images, settings)
    except (InputError, OSError) as error:  # a bad file; anything else is ours, and raised
        return Ready(work.case, None, reason(error))
    if found.array.shape != shape:
        told = f"it is {found.array.shape} (C, Z, Y, X) when prepared, and the network takes"
        return Ready(work.case, None, f"{told} {shape}")
    return Ready(work.case, found)
