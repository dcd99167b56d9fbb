"""Making what the preprocessing cache holds: read, prepare, code and write, in parallel."""

from __future__ import annotations

import contextlib
import errno
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache as once
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from hounsfield import formats, geometry, image, spatial
from hounsfield.errors import InputError, StorageError
from hounsfield.formats.contract import Source
from hounsfield.memory import keep_buffers
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.packs import Entry, PackWriter, coded, quantised, restored
from hounsfield.preprocessing.prepare import prepare_case, prepare_mask
from hounsfield.preprocessing.statistics import Moments

PACK_BYTES, PACK_ITEMS = 256 << 20, 8192  # what is lost at most when the power goes
Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True)
class Item:
    """One case: its images (their channels are stacked), and its mask on the first one's grid.

    `hash` is of the images' content; where it is empty the files are read for it. The mask's
    file is always read for it.
    """

    key: str
    hash: str
    inputs: tuple[Source, ...]
    mask: Source | None = None


def fingerprint(settings: Preprocessing) -> str:
    """A name for the settings that change pixels, and the code and decoders that make them."""
    chosen = settings.model_dump(
        include={"size", "fit", "crop", "colour", "clip", "slices", "depth", "slice_at"}
    )
    extra = {"percentile": "percentiles", "window": "window", "none": "range"}[settings.clip]
    chosen[extra] = getattr(settings, extra)
    text = json.dumps(chosen, sort_keys=True)
    return blake2b((text + _code()).encode(), digest_size=10).hexdigest()


def _modules() -> list[Path]:
    ours = "contract settings field intensity slices resize prepare statistics packs making"
    own = [Path(__file__).with_name(f"{name}.py") for name in ours.split()]
    own += [Path(image.__file__), Path(geometry.__file__)]
    rooms = [Path(str(room.__file__)).parent for room in (formats, spatial)]
    return own + [path for room in rooms for path in sorted(room.rglob("*.py"))]


# Those that decode, inflate or resample; PyAV is an extra
LIBRARIES = ("numpy", "numba", "imagecodecs", "pydicom", "pillow", "tifffile", "nibabel", "isal",
             "h5py", "scipy", "av")  # fmt: skip


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


@once
def _code() -> str:
    """A digest of the modules on the way from file to stored pixel, and of their libraries."""
    digest = blake2b(digest_size=16)
    for path in _modules():
        digest.update(path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}".encode())
    return digest.hexdigest()


def digests(
    items: Sequence[Item],
) -> tuple[dict[str, bytes], dict[str, str]]:
    """What each item's pixels are made from; a reason where a file cannot be read for it."""
    digests: dict[str, bytes] = {}
    failed: dict[str, str] = {}
    for item in items:
        parts = [(source.member, source.frames) for source in item.inputs]
        try:
            content = item.hash or _content(item.inputs)
            mask = (item.mask.member, _content((item.mask,))) if item.mask else None
        except OSError as error:
            failed[item.key] = reason(error)
            continue
        made_from = json.dumps([content, parts, mask])
        digests[item.key] = blake2b(made_from.encode(), digest_size=16).digest()
    return digests, failed


def _content(sources: Sequence[Source]) -> str:
    digest = blake2b(digest_size=16)
    for source in sources:
        for path in source.files:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _made(digest: bytes, item: Item, settings: Preprocessing) -> Entry:
    """Read and prepare one case.

    Raises:
        InputError: what cannot be read, or images of one case that do not fit each other.
    """
    parts = prepare_case([formats.read(source) for source in item.inputs], settings)
    first = parts[0]
    stored = quantised(np.concatenate([part.array for part in parts]))
    back = np.empty(stored.shape, np.float32)
    restored(stored, back)
    mask = prepare_mask(formats.read(item.mask), first) if item.mask else None
    return Entry(
        digest,
        (coded(stored), b"" if mask is None else coded(mask)),
        stored.shape,
        stored.itemsize,
        first.original,
        first.original_from_prepared,
        np.array([[*vars(part.summary).values()] for part in parts], np.float64),
        Moments.of(back),
    )


def prepared(
    todo: Mapping[bytes, Item], settings: Preprocessing, workers: int
) -> Iterator[tuple[bytes, Entry | str]]:
    """Each item's entry, or why it has none, in their order whatever the number of workers.

    Threads, not processes: reading, decoding and the kernels release the GIL, and a pool of
    processes costs seconds to start, which most data sets do not take to prepare.
    """
    keep_buffers()
    waiting: deque[Future[list[tuple[bytes, Entry | str]]]] = deque()
    work = list(todo.items())
    chunk = max(1, min(32, len(work) // (4 * workers)))
    with ThreadPoolExecutor(workers, "prepare") as pool:
        try:
            for start in range(0, len(work), chunk):
                waiting.append(pool.submit(_chunk, work[start : start + chunk], settings))
                if len(waiting) > 2 * workers:  # memory holds a few images, not the data set
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chunk(
    work: Sequence[tuple[bytes, Item]], settings: Preprocessing
) -> list[tuple[bytes, Entry | str]]:
    made: list[tuple[bytes, Entry | str]] = []
    for digest, item in work:
        try:
            made.append((digest, _made(digest, item, settings)))
        except (InputError, OSError) as error:  # a bad file; anything else is ours, and raised
            made.append((digest, reason(error)))
    return made


def reason(error: InputError | OSError) -> str:
    """Why, without the path: a file's name can be a patient's."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    expected = f"; expected: {error.expected}" if error.expected else ""
    return f"{error.problem}{expected}"


@dataclass
class Need:
    """How far the writing is, for the message of a full disk."""

    items: int
    done: int = 0
    bytes: int = 0

    @property
    def left(self) -> int:
        return self.bytes * (self.items - self.done) // max(self.done, 1)


def written(
    work: Iterator[tuple[bytes, Entry | str]], store: Path, report: tuple[int, Progress, Need]
) -> tuple[dict[bytes, str], list[Path]]:
    """Write entries into packs; give the reasons of those that failed, and the packs."""
    total, progress, need = report
    reasons: dict[bytes, str] = {}
    paths: list[Path] = []
    writer = None
    try:
        for digest, result in work:
            if isinstance(result, str):
                reasons[digest] = result
            else:
                writer = writer or PackWriter(store)
                need.bytes += sum(map(len, result.blobs))
                writer.add(result)
                if writer.size >= PACK_BYTES or len(writer.entries) >= PACK_ITEMS:
                    paths, writer = [*paths, writer.finish()], None
            need.done += 1
            progress(need.done, total)
    finally:  # also when interrupted: what is prepared stays prepared
        if writer is not None and not writer.dropped:
            paths.append(writer.finish())
    return reasons, paths


@contextlib.contextmanager
def storage(store: Path, items: int) -> Iterator[Need]:
    """Turn a full disk into the error that says how much is missing."""
    need = Need(items)
    try:
        yield need
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise not_writable(store.parent, error) from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageError(
            f"the disk is full: about {max(need.left, 1):,} more bytes are needed for the "
            f"preprocessing cache ({need.done} of {items} images are in it)",
            file=store.parent,
            remedy="free that much, or put the cache on another disk; what is done is kept",
        ) from error


def not_writable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the preprocessing cache cannot be written ({error.strerror})",
        file=folder,
        remedy="give a folder that you may write to",
    )
