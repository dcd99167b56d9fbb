"""Prepared images on disk, made once and shared by all workers and runs.

An entry's name is a digest of the image's content, the settings that change its pixels and
the code that reads and prepares it: whatever changes, the entry is another one, so none can
be stale. Mean, std and normalisation change nothing stored.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError, StorageError
from hounsfield.memory import keep_buffers
from hounsfield.preprocessing import making
from hounsfield.preprocessing.contract import Prepared, Preprocessing, Summary
from hounsfield.preprocessing.making import Item
from hounsfield.preprocessing.packs import Pack
from hounsfield.preprocessing.statistics import Moments

__all__ = ["Built", "Cache", "Item"]

ABANDONED = 24 * 3600  # seconds after which an unfinished file belongs to nobody


@dataclass(frozen=True, eq=False)
class Cache:
    """Prepared cases by their keys; cheap to send to another process, which maps the same files."""

    packs: tuple[Pack, ...]
    rows: Mapping[str, tuple[int, int]]  # key -> pack, row

    @classmethod
    def build(
        cls,
        items: Sequence[Item],
        settings: Preprocessing,
        folder: str | Path,
        *,
        workers: int = 1,
        progress: making.Progress | None = None,
    ) -> Built:
        """Prepare what the folder does not hold yet; images that cannot be read are listed.

        Interrupted or not, what was finished is kept; several processes may build at once.

        Raises:
            StorageError: the folder may not be written to, or its disk is full.
        """
        store = Path(folder) / making.fingerprint(settings)
        packs = _sound_packs(_made_folder(store))
        digests, failed = making.digests(items)
        known = {digest for pack in packs for digest in pack.digests()}
        todo = {
            digest: item
            for item in items
            if (digest := digests.get(item.key)) is not None and digest not in known
        }
        progress = progress or (lambda done, total: None)
        with making.storage(store, len(todo)) as need:
            work = making.prepared(todo, settings, workers)
            reasons, paths = making.written(work, store, (len(todo), progress, need))
        packs += [Pack(path) for path in paths]
        places = {
            d: (p, row) for p, pack in enumerate(packs) for row, d in enumerate(pack.digests())
        }
        for key, digest in digests.items():
            if digest in reasons:
                failed[key] = reasons[digest]
        rows = {item.key: places[digests[item.key]] for item in items if item.key not in failed}
        return Built(cls(tuple(packs), rows), failed)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, key: object) -> bool:
        return key in self.rows

    def images(self, keys: Sequence[str]) -> NDArray[np.float32]:
        """The cases' images in [0, 1], (B, C, Z, Y, X); all of one shape.

        Raises:
            InputError: an unknown key, or cases of different shapes.
            StorageError: the file was damaged since it was built.
        """
        keep_buffers()
        places = [self._place(key) for key in keys]
        out = np.empty((len(places), *self._shape(places, keys)), np.float32)
        for (pack, row), target in zip(places, out, strict=True):
            pack.picture(row, target)
        return out

    def masks(self, keys: Sequence[str]) -> NDArray[np.uint8]:
        """The cases' label maps, (B, Z, Y, X); 0 where a case has none."""
        places = [self._place(key) for key in keys]
        out = np.empty((len(places), *self._shape(places, keys)[1:]), np.uint8)
        for (pack, row), target in zip(places, out, strict=True):
            pack.mask(row, target)
        return out

    def prepared(self, key: str) -> Prepared:
        """A case with its geometry, to bring boxes to the original picture and back."""
        pack, row = self._place(key)
        entry = pack.index[row]
        height, width = map(int, entry["original"])
        matrix = np.array(entry["matrix"])
        return Prepared(self.images([key])[0], matrix, (height, width), self.summary(key))

    def summary(self, key: str, number: int = 0) -> Summary:
        """The physical values of a case's image before clipping: its first, or another input."""
        pack, row = self._place(key)
        low, p1, median, p99, high, mean, odd = pack.index["summaries"][row, number].tolist()
        return Summary(low, p1, median, p99, high, mean, int(odd))

    def moments(self, keys: Sequence[str]) -> Moments:
        """Mean and deviation per channel over all pixels of these cases, read from the index."""
        places = [self._place(key) for key in keys]
        channels = self._shape(places, keys, same=1)[0]
        counts = [float(np.prod(pack.index["shape"][row][1:])) for pack, row in places]
        parts = np.stack([pack.index["moments"][row][:, :channels] for pack, row in places])
        return Moments.pooled(np.array(counts), parts[:, 0], parts[:, 1])

    def _place(self, key: str) -> tuple[Pack, int]:
        try:
            pack, row = self.rows[key]
        except KeyError:
            raise InputError(
                f"the case {key!r} is not in the preprocessing cache",
                remedy="build the cache with it; it may have been set aside as unreadable",
            ) from None
        return self.packs[pack], row

    def _shape(
        self, places: Sequence[tuple[Pack, int]], keys: Sequence[str], same: int = 4
    ) -> tuple[int, ...]:
        """The shape that all have; only its first `same` sizes need to agree."""
        if not places:
            raise InputError("no case was asked for", expected="at least one key")
        first = places[0][0].shape(places[0][1])
        for (pack, row), key in zip(places, keys, strict=True):
            shape = pack.shape(row)
            if shape[:same] != first[:same]:
                raise InputError(
                    f"the case {key!r} is {shape} (C, Z, Y, X), {keys[0]!r} is {first}",
                    expected="cases of one shape",
                    remedy="check for colour among grey images, or volumes among slices",
                )
        return first

    def __repr__(self) -> str:
        return f"Cache({len(self.rows)} cases in {len(self.packs)} files)"


@dataclass(frozen=True, eq=False)
class Built:
    """A cache, and the reason for each case that it could not take."""

    cache: Cache
    failed: Mapping[str, str]


def _made_folder(store: Path) -> Path:
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise making.not_writable(store.parent, error) from error
    return store


def _sound_packs(store: Path) -> list[Pack]:
    """The whole packs of a folder; damaged ones and abandoned parts are removed."""
    for part in store.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
    packs = []
    for path in sorted(store.glob("*.pack")):
        try:
            pack = Pack(path)
            pack.check()
            packs.append(pack)
        except StorageError:
            path.unlink(missing_ok=True)
    return packs
