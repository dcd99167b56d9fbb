"""The fingerprints of a catalog's images: made once, in parallel, and kept.

The cache is a folder of Parquet files, written as the work goes on, so that an interruption loses
little. Rows are found by the content of the file, so what was read once is not read again, also
when it has moved or lies there twice.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hounsfield.audit.hashing import SIDE, VERSION, PixelPrint, fingerprint
from hounsfield.catalog.tables import Catalog, write_whole
from hounsfield.formats.contract import Source

Progress = Callable[[str, int, int], None]  # what, done, of how many
CHUNK = 64  # images a worker reads before it reports
PART = 2048  # images in one file of the cache
PROCESSES_FROM = 2**27  # pixels; fewer are read before new processes would have started
ROW = {
    "key": pl.String,
    "pixels": pl.String,
    "blank": pl.Boolean,
    "problem": pl.String,
    "small": pl.Binary,  # SIDE × SIDE uint8, or null
}


@dataclass(frozen=True, eq=False)
class Prints:
    """`table` has one row an image: image, key, pixels, blank, problem, has_small."""

    table: pl.DataFrame
    cache: Path

    def smalls(self, keys: Sequence[str]) -> NDArray[np.uint8]:
        """The (N, SIDE, SIDE) small pictures in the order of `keys`, on disk and not in memory."""
        at = {key: row for row, key in enumerate(keys)}
        with tempfile.TemporaryFile(dir=self.cache) as file:
            out = np.memmap(file, np.uint8, "w+", shape=(max(len(at), 1), SIDE, SIDE))
        for path in _parts(self.cache):
            part = _load(path, ["key", "small"])
            if part is None:
                continue
            for key, small in part.drop_nulls("small").iter_rows():
                if key in at:
                    out[at[key]] = np.frombuffer(small, np.uint8).reshape(SIDE, SIDE)
        return out[: len(at)]


def prints(
    catalog: Catalog, cache: Path, *, with_small: bool, workers: int, progress: Progress | None
) -> Prints:
    """The fingerprint of every image of a catalog's cases; reads only what the cache lacks.

    Raises:
        InputError: the catalog's link to its files is gone.
        StorageError: the cache cannot be written.
    """
    rows = catalog.images.select("image", "hash").rows()
    sources = catalog.sources([image for image, _ in rows])
    keys = [_key(image, digest, s) for (image, digest), s in zip(rows, sources, strict=True)]
    known = _known(cache, with_small)
    todo = {key: s for key, s in zip(keys, sources, strict=True) if key not in known}
    pool = _pool(_pixels(catalog) * len(todo) // max(len(rows), 1), workers or os.cpu_count() or 1)
    for made in _batches(_made(todo, pool, with_small, progress)):
        known.update({key: _light(one) for key, one in made})
        _keep(cache, made)
    fields = ("pixels", "blank", "problem", "has_small")
    table = {name: [known[key][i] for key in keys] for i, name in enumerate(fields)}
    schema = {"pixels": pl.String, "blank": pl.Boolean, "problem": pl.String}
    base = {"image": [image for image, _ in rows], "key": keys}
    return Prints(pl.DataFrame({**base, **table}, schema_overrides=schema), cache)


Light = tuple[str | None, bool, str | None, bool]  # pixels, blank, problem, has_small


def _light(one: PixelPrint) -> Light:
    return one.pixels, one.blank, one.problem, one.small is not None


def _key(image: str, digest: str | None, source: Source) -> str:
    """Which pixels: the file's content, and which picture in it; `?` is not found again."""
    inside = f"{source.member or ''}/{source.frames or ''}"
    return f"{digest}/{inside}" if digest else f"?{image}/{inside}"


def _known(cache: Path, with_small: bool) -> dict[str, Light]:
    known: dict[str, Light] = {}
    for path in _parts(cache):
        has_small = pl.col("small").is_not_null().alias("has_small")
        part = _load(path, ["key", "pixels", "blank", "problem", has_small])
        if part is None:
            continue
        for key, pixels, blank, problem, has in part.iter_rows():
            # A file that could not be read may have been mended, or its permission given.
            if not key.startswith("?") and problem is None and (has or not with_small):
                known[key] = (pixels, blank, problem, has)
    return known


def _pixels(catalog: Catalog) -> int:
    """How many pixels a catalog's images have; a million where a size is not known."""
    size = pl.col("height").cast(pl.Int64) * pl.col("width") * pl.col("depth").fill_null(1)
    return int(catalog.images.select(size.fill_null(10**6).sum()).item())


def _pool(pixels: int, workers: int) -> Executor:
    if workers > 1 and pixels >= PROCESSES_FROM:
        return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    return ThreadPoolExecutor(workers)


def _made(
    todo: dict[str, Source], pool: Executor, with_small: bool, progress: Progress | None
) -> Iterator[tuple[str, PixelPrint]]:
    keys = list(todo)
    chunks = [keys[i : i + CHUNK] for i in range(0, len(keys), CHUNK)]
    try:
        jobs = pool.map(_read, [[todo[k] for k in chunk] for chunk in chunks], _same(with_small))
        done = 0
        for chunk, made in zip(chunks, jobs, strict=True):
            done += len(chunk)
            if progress:
                progress("reading", done, len(keys))
            yield from zip(chunk, made, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _same(value: bool) -> Iterator[bool]:
    while True:
        yield value


def _read(sources: list[Source], with_small: bool) -> list[PixelPrint]:
    return [fingerprint(source, with_small) for source in sources]


def _batches(
    made: Iterator[tuple[str, PixelPrint]],
) -> Iterator[list[tuple[str, PixelPrint]]]:
    batch: list[tuple[str, PixelPrint]] = []
    for one in made:
        batch.append(one)
        if len(batch) == PART:
            yield batch
            batch = []
    if batch:
        yield batch


def _keep(cache: Path, made: list[tuple[str, PixelPrint]]) -> None:
    rows = [
        (
            key,
            one.pixels,
            one.blank,
            one.problem,
            None if one.small is None else one.small.tobytes(),
        )
        for key, one in made
    ]
    path = cache / f"pixels-{VERSION}-{uuid.uuid4().hex}.parquet"
    write_whole(pl.DataFrame(rows, schema=ROW, orient="row"), path)


def _parts(cache: Path) -> list[Path]:
    return sorted(cache.glob(f"pixels-{VERSION}-*.parquet"))


def _load(path: Path, columns: list[str | pl.Expr]) -> pl.DataFrame | None:
    """A part of the cache; None where it is damaged, so that its images are read again."""
    try:
        return pl.scan_parquet(path).select(columns).collect()
    except (pl.exceptions.PolarsError, OSError):
        return None
