"""Volumes from DICOM files: found among many, described, read.

Files belong together by what their headers say, never by name or folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hounsfield.errors import FormatError, HounsfieldError
from hounsfield.folders import home
from hounsfield.formats.contract import Filled, Header, Like, NotAnImage, Source, Suv
from hounsfield.formats.dicom import values
from hounsfield.formats.dicom.codecs import coding
from hounsfield.formats.dicom.file import open_dicom
from hounsfield.formats.dicom.frames import Frame, Scanner, Sheet
from hounsfield.formats.dicom.geometry import dot, normal_of
from hounsfield.formats.dicom.marks import Marks
from hounsfield.formats.dicom.stack import Stack, stacks_of
from hounsfield.formats.dicom.tags import WANTED, Tags, facts, identity
from hounsfield.formats.dicom.volume import read_volume, shape_of, volume_dtype
from hounsfield.formats.guard import frame_range
from hounsfield.geometry import Geometry, shifted
from hounsfield.image import RGB, Channel, Image

_BLOCK = 1 << 18  # bytes that are compared at a time


def find_all(paths: Sequence[Path]) -> tuple[list[Source], list[tuple[Path, HounsfieldError]]]:
    """The images in many files, whatever their names and folders, and the files that are none.

    Opens every header; of the pixels only those of a second copy of a slice, which is left out.
    """
    if not paths:
        return [], []
    root = home(paths)
    scanner, bad = Scanner(), []
    frames: list[Frame] = []
    flat: list[tuple[Path, Source]] = []
    first: dict[tuple[object, ...], Sheet] = {}
    for path in paths:
        try:
            sheet, found = scanner.frames(path)
            if found and _same_pixels(sheet, first.setdefault(_instance(found), sheet)):
                raise NotAnImage("a second copy of a slice in another file", file=path)
        except (HounsfieldError, OSError) as error:
            bad.append((path, _told(error, path)))
            continue
        frames += found
        if not found:
            flat.append((path, Source(str(root), (_inside(path, root),))))
    stacks = stacks_of(frames)
    per_file = Counter(path for stack in stacks for path in stack.paths)
    placed = [(stack.paths[0], _source(stack, i, root, per_file)) for i, stack in enumerate(stacks)]
    order = {path: i for i, path in enumerate(paths)}
    return [one for _, one in sorted([*placed, *flat], key=lambda pair: order[pair[0]])], bad


def _instance(found: list[Frame]) -> tuple[object, ...]:
    """What two copies of one file share; the UID alone is not enough, some files repeat it."""
    one = found[0]
    return one.sheet.uid, one.sheet.kind, len(found), one.position, one.marks


def _same_pixels(sheet: Sheet, other: Sheet) -> bool:
    """Whether two files of one instance hold the same bytes of pixels."""
    files = sheet.file, other.file
    if sheet is other or sheet.uid is None or files[0].syntax != files[1].syntax:
        return False
    if any(file.pixels is None for file in files):
        return False
    ends = [file.path.open("rb") for file in files]
    with ends[0] as one, ends[1] as two:
        for file, stream in zip(files, ends, strict=True):
            assert file.pixels is not None
            stream.seek(file.pixels.start if file.deflated is None else file.deflated)
        while (part := one.read(_BLOCK)) == two.read(_BLOCK):
            if not part:
                return True
    return False


def _inside(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _told(error: Exception, path: Path) -> HounsfieldError:
    if isinstance(error, HounsfieldError):
        return error
    return FormatError(f"the file cannot be read ({type(error).__name__})", file=path)


def _source(stack: Stack, number: int, root: Path, per_file: Counter[Path]) -> Source:
    """A stack's source; `member` is its number where its files hold other stacks as well."""
    paths = tuple(_inside(path, root) for path in stack.paths)
    shared = any(per_file[path] > 1 for path in stack.paths)
    return Source(str(root), paths, str(number) if shared else None, known=stack)


def stack_of(source: Source, frames: Sequence[Frame] | None = None) -> Stack:
    """The stack that a source names; `frames` are its files', where they have been read already.

    Raises:
        FormatError: the files are of several images, or of none.
    """
    if frames is None:
        scanner = Scanner()
        frames = [frame for file in source.files for frame in scanner.frames(file)[1]]
    stacks = stacks_of(frames)
    if source.member is not None and source.member.isdigit() and int(source.member) < len(stacks):
        return stacks[int(source.member)]
    if len(stacks) == 1 and source.member is None:
        return stacks[0]
    raise FormatError(
        f"{len(source.files)} files hold {len(stacks)} images",
        file=source.file,
        expected="one image, or its number behind a #",
        remedy="read the folder: the error names them",
    )


def read_stack(source: Source, stack: Stack, like: Like | None) -> Image:
    """The volumes of a stack, or the slices of them that the source names."""
    if like is not None and like.suv is not None:
        stack = _as_suv(stack, like.suv)
    if like is not None and like.fill_gaps:
        return _filled(source, stack, like)
    first, last = frame_range(source, len(stack.places))
    head = volume_header(stack, first, last, stack.geometry)
    array = read_volume(stack, first, last, like)
    return Image(array, head.geometry, _in_unit(head.channels, like), _stored(stack))


def _as_suv(stack: Stack, kind: Suv) -> Stack:
    """The same stack with values as SUV; refused where the header lacks what that needs."""
    from hounsfield.formats.dicom import suv

    tags = [Tags(open_dicom(path, WANTED).elements, path) for path in stack.paths]
    if tags[0].text("Modality") != "PT":
        raise FormatError(
            f"SUV was asked for, and this is {tags[0].text('Modality') or 'of no modality'}",
            file=stack.paths[0],
            expected="a PET series (PT)",
        )
    times = [time for one in tags if (time := suv.acquired(one)) is not None]
    factor = suv.factor(suv.pet_of(tags[0], min(times, default=None)), kind)
    frames = []
    for frame in stack.frames:
        slope, intercept = frame.line
        scale = replace(frame.sheet.scale, unit=suv.UNITS[kind])
        frames.append(
            frame._replace(
                sheet=replace(frame.sheet, scale=scale), line=(slope * factor, intercept * factor)
            )
        )
    return Stack(tuple(frames), name=suv.NAMES[kind])


def _filled(source: Source, stack: Stack, like: Like) -> Image:
    """Slices at uneven places, resampled linearly onto an even grid; what was done is recorded.

    Raises:
        FormatError: the first or last slice is damaged: nothing lies beyond it to fill from.
    """
    from hounsfield.spatial import even_slices

    single = stack.mended()
    damaged = _damaged_inside(stack, single)
    offsets = single.offsets
    # Damaged slices still say how far apart slices are
    step = float(np.median(np.diff(stack.offsets))) if len(offsets) > 1 else 0.0
    count = round(float(offsets[-1]) / step) + 1 if step else 1
    geometry = single.geometry if count == 1 else single.grid(count)
    head = volume_header(single, 0, len(offsets), geometry)
    array = read_volume(single, 0, len(offsets), like)
    even = np.linspace(0, float(offsets[-1]), count)
    uneven = len(even) != len(offsets) or bool(np.abs(even - offsets).max() > 1e-3)
    if uneven:
        array = even_slices(array, offsets.tolist(), float(offsets[-1]) / (count - 1))
    first, last = frame_range(source, array.shape[1])
    filled = Filled(
        tuple(offsets.tolist()) if uneven else (),
        count,
        tuple(damaged),
        len(stack.frames) - len(damaged) - len(single.frames),
    )
    stored = _stored(single) | ({"filled": filled} if filled.words else {})
    whole = Image(array, geometry, _in_unit(head.channels, like), stored)
    return whole if (first, last) == (0, count) else _planes(whole, first, last)


def _damaged_inside(stack: Stack, single: Stack) -> list[float]:
    """Where the damaged slices lie, in mm along the stack; refused where one is at an end."""
    normal = normal_of(stack.first.cosines)
    there = [dot(frame.position, normal) for frame in single.frames]
    found = []
    for frame in stack.frames:
        if frame.sheet.fault is not None:
            found.append(dot(frame.position, normal))
            if not min(there) < found[-1] < max(there):
                raise stack.fault_of(frame)
    return found


def _planes(image: Image, first: int, last: int) -> Image:
    return replace(image, array=image.array[:, first:last], geometry=shifted(image.geometry, first))


def volume_header(stack: Stack, first: int, last: int, geometry: Geometry) -> Header:
    one = stack.first
    form = one.sheet.form
    tags = Tags(open_dicom(one.sheet.file.path, WANTED).elements, one.sheet.file.path)
    rows, columns = shape_of(one)
    channels = volume_channels(stack, tags)
    files = len(stack.paths)
    words = coding(one.sheet.file, form) + (f", {files} files" if files > 1 else "")
    return Header(
        format="dicom",
        shape=(len(channels), last - first, rows, columns),
        dtype=volume_dtype(stack),
        geometry=shifted(geometry, first),
        channels=channels,
        modality=tags.text("Modality"),
        identity=identity(tags),
        facts=facts(
            tags, None if form.colour else values.own_window(tags, form, one.sheet.scale), words
        ),
    )


def volume_channels(stack: Stack, tags: Tags) -> tuple[Channel, ...]:
    """What each volume is: its time (s, from the first), echo, b-value."""
    unit = stack.first.sheet.scale.unit
    if stack.first.sheet.form.colour:
        return RGB * len(stack.volumes)
    marks = [volume[0].marks for volume in stack.volumes]
    if len(marks) == 1:
        return (Channel(stack.name, unit),)
    echoes = {mark.echo for mark in marks}
    times = _times(marks, tags)
    weighted = any(mark.b_value for mark in marks)  # GE writes 0 into what is no diffusion
    return tuple(
        Channel(
            name=f"echo {mark.echo:g} ms" if len(echoes) > 1 and mark.echo else stack.name,
            unit=unit,
            time=time,
            b_value=mark.b_value if weighted else None,
        )
        for mark, time in zip(marks, times, strict=True)
    )


def _times(marks: list[Marks], tags: Tags) -> list[float | None]:
    """Seconds from the first volume on: by the trigger in the heart's cycle, else by the clock."""
    triggers = [mark.trigger for mark in marks]
    if len(set(triggers)) == len(marks) and None not in triggers:
        return [(trigger or 0.0) / 1000 for trigger in triggers]
    clock = [mark.time for mark in marks]
    if len(set(clock)) < len(marks) or clock[0] is None:
        # GE writes one time into all; what repeats a whole volume is the repetition time
        told = tags.soft_number("NumberOfTemporalPositions") == len(marks)
        repeats = (tags.soft_number("RepetitionTime") or 0.0) / 1000 if told else 0.0
        return [i * repeats if repeats > 0 else None for i in range(len(marks))]
    day = 86_400.0  # a night may lie between
    return [None if time is None else round((time - clock[0]) % day, 6) for time in clock]


def _in_unit(channels: tuple[Channel, ...], like: Like | None) -> tuple[Channel, ...]:
    """Channels of values that were not turned into something without a unit."""
    if like is None or (like.window is None and not like.voi):
        return channels
    return tuple(replace(channel, unit=None) for channel in channels)


def _stored(stack: Stack) -> dict[str, object]:
    """What a writer needs to invert reading, slice by slice."""
    one = stack.first
    lines = {frame.line for frame in stack.frames}
    slope, intercept = one.line
    return {
        "format": "dicom",
        "modality": one.sheet.kind[3],
        "dtype": str(one.sheet.form.dtype),
        "bits": one.sheet.form.stored,
        "photometric": one.sheet.form.photometric,
        "inverted": one.sheet.scale.inverted,
        "slope": slope,
        "intercept": intercept,
        "lines": [[f.line for f in volume] for volume in stack.volumes] if len(lines) > 1 else None,
        "syntax": one.sheet.file.syntax,
    }
