"""What the files say: headers and hashes, read in parallel; no pixel is decoded.

Most of the time goes into reading bytes and hashing them, both outside of Python's lock, so
threads do: they start at once, and need no `if __name__ == "__main__"` in a user's script.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from threading import Lock, local
from typing import Any

import polars as pl

from hounsfield import formats
from hounsfield.catalog.link import FOUND
from hounsfield.catalog.tables import LINK
from hounsfield.errors import HounsfieldError
from hounsfield.formats import npz
from hounsfield.formats.contract import Header, Source
from hounsfield.formats.guard import refusing

CHUNK = 32  # files a task
BLOCK = 1 << 18  # bytes that are hashed at a time
KEPT = 64  # files whose hashes are kept for their further members and frames
DIGEST = 32  # hex digits of SHA-256 (FIPS 180-4), which today's processors compute themselves
SCHEMA = {"row": pl.UInt32, **{name: LINK[name] for name in FOUND}}
Found = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """Some sources and their rows; the members of one array of an .npz come together."""

    rows: tuple[int, ...]
    sources: tuple[Source, ...]
    array: str | None = None


def examine(todo: pl.DataFrame, workers: int | None) -> Iterator[pl.DataFrame]:
    """What each file says, some rows at a time, in no order: SCHEMA's columns.

    A file that cannot be read has a reason, and nothing else.
    """
    tasks, digests = _tasks(todo), Digests()
    count = os.cpu_count() or 1 if workers is None else workers
    if count <= 1:
        for task in tasks:
            yield _table(run(task, digests))
        return
    pool = ThreadPoolExecutor(count, "examine")
    try:
        running = {pool.submit(run, task, digests) for task in islice(tasks, 4 * count)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(run, task, digests) for task in islice(tasks, len(done))}
            for future in done:
                yield _table(future.result())
    finally:
        pool.shutdown(cancel_futures=True)


def _table(found: list[Found]) -> pl.DataFrame:
    return pl.DataFrame(found, schema=SCHEMA)


def _tasks(todo: pl.DataFrame) -> Iterator[Task]:
    rows: list[int] = []
    sources: list[Source] = []
    last: tuple[object, ...] | None = None
    for row, root, paths, member, frames in todo.select(
        "row", "root", "paths", "member", "frames"
    ).iter_rows():
        array = _array(paths[0], member)
        key = (root, *paths, array) if array else None
        if rows and (key != last or (key is None and len(rows) >= CHUNK)):
            yield Task(tuple(rows), tuple(sources), str(last[-1]) if last else None)
            rows, sources = [], []
        last = key
        rows.append(row)
        sources.append(Source(root, tuple(paths), member, tuple(frames) if frames else None))
    if rows:
        yield Task(tuple(rows), tuple(sources), str(last[-1]) if last else None)


def _array(path: str, member: str | None) -> str | None:
    """The array of a member such as "train_images/17" of an .npz; no other file has stacks."""
    if member is None or not path.lower().endswith(".npz"):
        return None
    array, _, index = member.rpartition("/")
    return array if array and index.isdigit() else None


def run(task: Task, digests: Digests | None = None) -> list[Found]:
    """Read what a task names; runs in a thread, and shares `digests` with the others."""
    if task.array is None:
        digests = digests or Digests()
        return [
            {"row": row, **_guarded(source, digests)}
            for row, source in zip(task.rows, task.sources, strict=True)
        ]
    found = _guarded(task.sources[0], None)
    if found.get("reason") is None:
        try:
            hashes = _member_hashes(task.sources[0].file, task.array)
        except KeyError:  # no stack: "slice/0" is the name of an array itself
            return run(replace(task, array=None), digests)
        except HounsfieldError:
            found = {"reason": f"the array {task.array} cannot be read to its end"}
        else:
            return [_member(row, s, found, hashes) for row, s in _pairs(task)]
    return [{"row": row, **found} for row in task.rows]


def _pairs(task: Task) -> Iterator[tuple[int, Source]]:
    return zip(task.rows, task.sources, strict=True)


def _member(row: int, source: Source, found: Found, hashes: Sequence[str]) -> Found:
    index = int(str(source.member).rpartition("/")[2])
    if index >= len(hashes):
        return {"row": row, "reason": f"there is no picture {index}, only {len(hashes)}"}
    return {**found, "row": row, "hash": hashes[index]}


def _guarded(source: Source, files: Digests | None) -> Found:
    """A header and hash, or the reason why there is none."""
    try:
        digest = files.of(source) if files is not None else None
    except OSError as error:
        return {"reason": error.strerror or "the file cannot be read"}
    said = described(source)
    return said if "reason" in said else {**said, "hash": digest}


def described(source: Source) -> Found:
    """What a header says, or the reason why it says nothing."""
    try:
        return _flat(formats.header(source))
    except HounsfieldError as error:
        return {"reason": _without_names(error.problem, source)}
    except OSError as error:
        return {"reason": error.strerror or "the file cannot be read"}
    except Exception as error:  # noqa: BLE001  # whatever a damaged file does to a decoder
        return {"reason": f"the file cannot be read as an image ({type(error).__name__})"}


def _without_names(problem: str, source: Source) -> str:
    """A reason that does not repeat the file's name, which may be a person's."""
    words = {part for path in source.paths for part in (path, *Path(path).parts, Path(path).stem)}
    for word in sorted(words - {""}, key=len, reverse=True):
        if len(word) > 2:
            problem = problem.replace(word, "…")
    return problem


def _flat(header: Header) -> Found:
    channels, depth, height, width = header.shape
    spacing = getattr(header.geometry, "spacing", None)
    facts = ("sex", "age", "view", "body_part", "manufacturer", "model")
    return {
        "file_patient": header.identity.patient,
        "file_study": header.identity.study,
        "file_series": header.identity.series,
        "modality": header.modality,
        "format": header.format,
        "channels": channels,
        "depth": depth,
        "height": height,
        "width": width,
        "spacing": None if spacing is None else list(spacing),
        **{name: getattr(header.facts, name) for name in facts},
    }


@dataclass(eq=False)
class Digests:
    """Hashes of files' bytes, for all threads; the last ones wait for further members and frames.

    A file is hashed once, however many threads ask for its members at a time.
    """

    kept: OrderedDict[object, _Kept] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)
    memory: local = field(default_factory=local)

    def of(self, source: Source) -> str:
        if source.member is None and source.frames is None:
            return self._hashed(source.files).hex()[:DIGEST]
        part = f"{source.member}\0{source.frames}".encode()
        return hashlib.sha256(self._shared(source.files) + part).hexdigest()[:DIGEST]

    def _shared(self, files: tuple[Path, ...]) -> bytes:
        states = [file.stat() for file in files]
        key = (files, *((state.st_size, state.st_mtime_ns) for state in states))
        with self.lock:
            one = self.kept.setdefault(key, _Kept())
            self.kept.move_to_end(key)
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        with one.lock:  # whoever comes second waits for the first
            one.digest = one.digest or self._hashed(files)
            return one.digest

    def _hashed(self, files: tuple[Path, ...]) -> bytes:
        if not hasattr(self.memory, "buffer"):
            self.memory.buffer = memoryview(bytearray(BLOCK))
        buffer: memoryview = self.memory.buffer
        total = hashlib.sha256()
        for file in files:
            with file.open("rb", buffering=0) as stream:
                while size := stream.readinto(buffer):
                    total.update(buffer[:size])
        return total.digest()


@dataclass(eq=False)
class _Kept:
    """One file's hash, once it is there."""

    lock: Lock = field(default_factory=Lock)
    digest: bytes = b""


def _member_hashes(path: Path, array: str) -> list[str]:
    """The hash of each picture's bytes in an array (N, …) of an .npz, one picture in memory.

    Shape and type are hashed with the bytes.

    Raises:
        KeyError: the file has no such array.
        FormatError: the array cannot be read to its end.
    """
    with refusing(path, "the arrays"):
        arrays = npz.entries(path)
    entry = arrays[array]
    stem = f"{entry.shape[1:]}{entry.dtype.str}".encode()
    with refusing(path, "the pictures"):
        return [
            hashlib.sha256(stem + data).hexdigest()[:DIGEST] for data in npz.pictures(path, entry)
        ]
