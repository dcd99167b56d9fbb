"""A whole folder to another format: side by side, resumable, no half file, nothing silent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hounsfield import formats
from hounsfield.errors import HounsfieldError, StorageError, UsageError
from hounsfield.folders import walk
from hounsfield.formats.contract import Source
from hounsfield.formats.conversion import Choices, convert
from hounsfield.formats.folder import contents_of
from hounsfield.progress import SILENT, Watch

# Cut from a name before the new suffix is put on; a UID's last number is no suffix.
_SUFFIXES = (".dcm", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".npz", ".csv",
             ".nrrd", ".nhdr", ".mha", ".mhd", ".mgh", ".mgz", ".mnc")  # fmt: skip
_PAIRED = (".hdr", ".mhd", ".nhdr")  # header and voxels of one file
_MOST = 4  # images in memory at once


@dataclass(frozen=True)
class Done:
    """One image of a folder: where it went, what was not kept, or why it was not converted."""

    source: Path
    target: Path | None
    notes: tuple[str, ...] = ()
    reason: str | None = None
    kept: bool = False  # the target was there already
    harmless: bool = False  # a sound file without a picture: nothing is lost


def convert_folder(
    folder: Path, out: Path, suffix: str, choices: Choices, watch: Watch = SILENT
) -> Iterator[Done]:
    """Convert every image of a folder, keeping the tree; a bad file is told and passed over.

    DICOM files become one file a volume, named after their folder, or after the number of their
    series where a folder holds several. What was converted before is kept, so an interrupted
    conversion goes on; files appear whole or not at all.

    Raises:
        StorageError: the disk is full: the next file would fare no better.
        UsageError: no format writes the suffix, or `out` is the folder itself.
    """
    formats.format_of(Path(f"x{suffix}"))
    inside, whole = out.resolve(), folder.resolve()
    if inside == whole:
        raise UsageError(
            "the folder would be converted into itself",
            file=out,
            remedy="name another, or a new one",
        )
    files = (folder / name for name in walk(folder))
    found = contents_of(
        (file for file in files if inside in whole.parents or inside not in file.resolve().parents),
        lambda count: watch.tell("reading headers", count, None),
    )
    for file, error in found.bad:
        yield Done(file, None, reason=error.problem)
    for file, error in found.others:
        yield Done(file, None, reason=error.problem, harmless=True)
    named = list(_named(found.sources, folder, suffix))
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST), "convert") as pool:
        waiting: list[Future[Done]] = [
            pool.submit(_one, source, out / target, choices) for source, target in named
        ]
        try:
            for number, future in enumerate(waiting):
                yield future.result()
                watch.tell("converting", number + 1, len(waiting))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one(source: Source, target: Path, choices: Choices) -> Done:
    if target.exists() and not choices.overwrite:
        return Done(source.file, target, kept=True)
    try:
        return Done(source.file, target, tuple(convert(source, target, choices)))
    except StorageError:
        raise
    except HounsfieldError as error:
        return Done(source.file, None, reason=error.problem)


def _named(sources: list[Source], folder: Path, suffix: str) -> Iterator[tuple[Source, Path]]:
    """Each image and its path within the new folder; the same at every call."""
    homes = Counter(source.home for source in sources if len(source.paths) > 1)
    taken: set[Path] = set()
    for source in sources:
        target = _target(source, folder, suffix, alone=homes[source.home] == 1)
        yield source, _free(target, taken)


def _target(source: Source, folder: Path, suffix: str, *, alone: bool) -> Path:
    if len(source.paths) > 1 and source.file.suffix.lower() not in _PAIRED:
        home = source.home.relative_to(folder)
        if alone:
            return home.with_name(f"{home.name}{suffix}") if home.name else Path(f"volume{suffix}")
        return home / f"series-{_series_number(source)}{suffix}"
    inside = source.file.relative_to(folder)
    stem = _stem(inside.name)
    if source.member is None:
        return inside.with_name(f"{stem}{suffix}")
    # A member is a name from inside the file: its parts are kept only where they are plain.
    plain = "-".join(part for part in source.member.split("/") if part not in ("", ".", ".."))
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain)
    return inside.with_name(stem) / f"{safe}{suffix}"


def file_name(source: Path, suffix: str) -> str:
    """What a converted file is called, from the path of the one image that it holds."""
    name = str(source).partition("#")[0] if not source.exists() else str(source)
    return f"{_stem(Path(name).resolve().name)}{suffix}"


def _stem(name: str) -> str:
    for known in (".gz", *_SUFFIXES):
        name = name[: -len(known)] if name.lower().endswith(known) and name != known else name
    return name


def _series_number(source: Source) -> int:
    try:
        return formats.header(Source(source.root, source.paths[:1])).facts.series or 0
    except HounsfieldError:  # converting it says what is wrong
        return 0


def _free(inside: Path, taken: set[Path]) -> Path:
    """Two files that would have one name (a.png, a.dcm) get numbers."""
    target, number = inside, 1
    while target in taken:
        number += 1
        name, _, rest = inside.name.partition(".")
        target = inside.with_name(f"{name}-{number}.{rest}")
    taken.add(target)
    return target
