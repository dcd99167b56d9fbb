"""Reads damaged files in a process of its own, that may have 1 GB more and no more.

A verdict is "image", "refused", "memory" (refused, but only for want of memory), or "DEFECT: …":
another exception than ours, a header that is not the image's, a grid that changed though only
voxels did, or the end is missing, or a checksum covers the damage; a process that died, or did not
come back.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import resource
import shutil
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from mutants import Mutant, mutant
from seeds import SEEDS

from hounsfield import formats
from hounsfield.errors import HounsfieldError
from hounsfield.geometry import Geometry, Patient

EXTRA_BYTES = 1 << 30
PATIENCE = 120  # seconds for one file: a kill limit, not a measurement


@dataclass(frozen=True, eq=False)
class Whole:
    """A seed as it is read undamaged."""

    files: dict[str, bytes]
    name: str  # of the file to read, or . for the folder
    geometry: Geometry
    planes: tuple[int, int, int]  # (Z, Y, X)
    voxels: bytes  # as they lie in the file, or empty

    @classmethod
    def of(cls, seed: str, folder: Path) -> Whole:
        path = SEEDS[seed].make(folder)
        image = formats.read(formats.find(path)[0])
        files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        array = image.array
        raw = next(
            (
                one
                for stored in (array, np.moveaxis(array, 0, -1))
                for one in (stored.tobytes(), stored.astype(array.dtype.newbyteorder()).tobytes())
                if any(one in data for data in files.values())
            ),
            b"",
        )
        return cls(files, str(path.relative_to(folder)), image.geometry, image.shape[1:], raw)


def same(one: Geometry, other: Geometry) -> bool:
    if isinstance(one, Patient) and isinstance(other, Patient):
        return np.array_equal(one.affine, other.affine)
    return one == other


def _as_told(told: np.dtype[Any], found: np.dtype[Any]) -> bool:
    """Whole numbers that overflow int16 when rescaled come as float32 (docs/formats.md)."""
    return found == told or (told == np.int16 and found == np.float32)


def verdict(changed: Mutant, whole: Whole, folder: Path) -> str:
    """How reading a damaged file ends."""
    for name, data in changed.files.items():
        (folder / name).write_bytes(data)
    try:
        path = folder / whole.name
        for source in [formats.named(path)] if path.is_dir() else formats.find(path)[:2]:
            head = formats.header(source)
            image = formats.read(source)
            if head.shape != image.shape or not _as_told(head.dtype, image.array.dtype):
                return f"DEFECT: header {head.shape} {head.dtype}, image {image!r}"
            if not same(head.geometry, image.geometry):
                return f"DEFECT: header {head.geometry!r}, image {image.geometry!r}"
            if not np.array_equal(
                formats.open(source).slab(0, 1).array, image.array[:, :1],
                equal_nan=image.array.dtype.kind == "f",
            ):  # fmt: skip
                return "DEFECT: the first plane is not the image's"
            where = (whole.geometry, whole.planes), (image.geometry, image.shape[1:])
            moved = not same(image.geometry, whole.geometry) or image.shape[1:] != whole.planes
            if moved and (changed.only_voxels or changed.checked or changed.kind == "cut"):
                return f"DEFECT: silently moved by {changed.kind}, {where[0]} to {where[1]}"
    except HounsfieldError as error:
        return "memory" if isinstance(error.__cause__, MemoryError) else "refused"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"DEFECT: {error!r:.200} at {Path(where.filename).name}:{where.lineno}"
    return "image"


def _work(jobs: Connection, base: Path) -> None:
    """The process that reads: (seed, first, last) in; (number, verdict) out, as each is done."""
    warnings.simplefilter("ignore")  # libraries warn of what they repair; the outcome is judged
    quiet = os.open(base / "stderr", os.O_WRONLY | os.O_CREAT)
    os.dup2(quiet, 2)
    faulthandler.enable()
    wholes: dict[str, Whole | str] = {}
    for name in SEEDS:  # what reading needs is imported before memory is counted
        folder = base / f"whole-{name}"
        folder.mkdir(exist_ok=True)
        try:
            wholes[name] = Whole.of(name, folder)
        except Exception as error:
            wholes[name] = f"DEFECT: the undamaged file: {error!r:.200}"
    found = [whole for whole in wholes.values() if isinstance(whole, Whole)]
    others = [data for whole in found for data in whole.files.values()]
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + EXTRA_BYTES, resource.RLIM_INFINITY))
    folder = base / "damaged"
    jobs.send("ready")
    while (job := jobs.recv()) is not None:
        name, first, last = job
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number in range(first, last):
            jobs.send((number, _judged(wholes[name], number, others, folder)))


def _judged(whole: Whole | str, number: int, others: list[bytes], folder: Path) -> str:
    if isinstance(whole, str):
        return whole
    return verdict(mutant(whole.files, number, whole.voxels, others), whole, folder)


@dataclass
class Reader:
    """Reads damaged files elsewhere, and starts anew where reading killed the process."""

    process: Any = None
    jobs: Connection | None = None
    base: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="fuzz-")))

    def verdicts(self, seed: str, first: int, last: int) -> Iterator[tuple[int, str]]:
        """(number, verdict) of each of the damaged files first ≤ number < last."""
        while first < last:
            self._start()
            assert self.jobs is not None
            self.jobs.send((seed, first, last))
            for number in range(first, last):
                told = self._next()
                first = number + 1
                yield (number, told)
                if told.startswith("DEFECT: the process"):
                    break

    def _next(self) -> str:
        assert self.jobs is not None
        try:
            if self.jobs.poll(PATIENCE):
                return str(self.jobs.recv()[1])
            told = "DEFECT: the process did not come back"
        except EOFError:
            self.process.join()
            told = f"DEFECT: the process died ({self.process.exitcode})"
        self.stop()
        return told

    def _start(self) -> None:
        if self.process is not None and self.process.is_alive():
            return
        context = multiprocessing.get_context("spawn")
        self.jobs, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, self.base), daemon=True)
        self.process.start()
        theirs.close()
        if not self.jobs.poll(PATIENCE):
            raise RuntimeError("the reading process did not start")
        self.jobs.recv()  # "ready", or EOFError: it could not read the undamaged files

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = None

    def close(self) -> None:
        self.stop()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.base)


def tally(verdicts: Iterator[tuple[int, str]]) -> tuple[Counter[str], dict[int, str]]:
    """How many ended how, and the defects by number."""
    counts: Counter[str] = Counter()
    defects = {}
    for number, told in verdicts:
        counts["defect" if told.startswith("DEFECT") else told] += 1
        if told.startswith("DEFECT"):
            defects[number] = told
    return counts, defects
