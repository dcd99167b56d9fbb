"""Reading the pixels of a stack: every frame straight into its place, by several threads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, HounsfieldError
from hounsfield.formats.contract import Like
from hounsfield.formats.dicom import values
from hounsfield.formats.dicom.file import EXPLICIT_LITTLE, IMPLICIT_LITTLE, open_dicom
from hounsfield.formats.dicom.frames import Frame
from hounsfield.formats.dicom.pixels import decode_into, is_compressed, read_into, stored_values
from hounsfield.formats.dicom.stack import Stack
from hounsfield.formats.dicom.tags import WANTED, Tags
from hounsfield.formats.guard import check_promise, refusing

_PLAIN = (IMPLICIT_LITTLE, EXPLICIT_LITTLE)


class _DoesNotFit(HounsfieldError):  # noqa: N818  (caught in this file: a wider type is needed)
    """Whole numbers beyond the type that the header suggests."""


@dataclass(frozen=True)
class _Job:
    """One frame, and where its values go."""

    frame: Frame
    channel: int
    plane: int


def volume_dtype(stack: Stack) -> np.dtype[np.generic]:
    """The type that holds the values of every frame."""
    kinds = {(id(f.sheet.form), f.sheet.scale.unit, f.line): f for f in stack.frames}
    found = {values.value_dtype(f.sheet.form, _scale(f)) for f in kinds.values()}
    if len(found) == 1:
        return found.pop()
    if all(dtype.kind in "iu" for dtype in found):
        joined = np.result_type(*found)
        return joined if joined.itemsize <= 2 else np.dtype(np.float32)
    return np.dtype(np.float64 if np.dtype(np.float64) in found else np.float32)


def _scale(frame: Frame) -> values.Scale:
    slope, intercept = frame.line
    return replace(frame.sheet.scale, slope=slope, intercept=intercept)


def read_volume(stack: Stack, z0: int, z1: int, like: Like | None) -> NDArray[Any]:
    """Slices z0 ≤ z < z1 of all volumes, (C, z1 - z0, Y, X), as `like` wants them.

    Raises:
        FormatError: pixels are truncated or damaged; the message names the file.
    """
    one = stack.first
    samples = 3 if one.sheet.form.colour else 1
    rows, columns = shape_of(one)
    jobs = [
        _Job(frame, volume * samples, z - z0)
        for volume, frames in enumerate(stack.volumes)
        for z, frame in enumerate(frames)
        if z0 <= z < z1
    ]
    shape = (samples * len(stack.volumes), z1 - z0, rows, columns)
    dtype = _wanted(stack, like)
    check_promise(one.sheet.file.path, shape, dtype, 1 << 62)
    try:
        return _read(jobs, np.empty(shape, dtype), like)
    except _DoesNotFit as error:
        if like is not None and like.dtype is not None:
            raise FormatError(
                f"the values do not fit {dtype}", file=one.sheet.file.path, expected="float32"
            ) from error
        return _read(jobs, np.empty(shape, np.float32), like)


def _wanted(stack: Stack, like: Like | None) -> np.dtype[np.generic]:
    if like is not None and like.dtype is not None:
        return np.dtype(like.dtype)
    if like is not None and (like.window is not None or like.voi):
        return np.dtype(np.float32)
    return volume_dtype(stack)


def shape_of(frame: Frame) -> tuple[int, int]:
    """Rows and columns of a frame."""
    if frame.tile is not None:
        top, bottom, left, right = frame.tile
        return bottom - top, right - left
    return frame.sheet.form.rows, frame.sheet.form.columns


def _read(jobs: list[_Job], out: NDArray[Any], like: Like | None) -> NDArray[Any]:
    threads = min(os.cpu_count() or 1, len(jobs), 8)
    if threads == 1:
        _read_some(jobs, out, like)
        return out
    over = Event()
    with ThreadPoolExecutor(threads, "dicom") as pool:
        # Neighbours lie in neighbouring files: each thread takes a run of them.
        ends = [i * len(jobs) // threads for i in range(threads + 1)]
        parts = [takewhile(lambda _: not over.is_set(), jobs[a:b]) for a, b in pairwise(ends)]
        try:
            for done in [pool.submit(_read_some, part, out, like) for part in parts]:
                done.result()
        finally:
            over.set()  # after an error or Ctrl-C the other threads stop at their next frame
    return out


def _read_some(jobs: Iterable[_Job], out: NDArray[Any], like: Like | None) -> None:
    scratch = np.empty(0 if out.dtype.itemsize == 2 else out.shape[2:], np.uint16)
    for job in jobs:
        with refusing(job.frame.sheet.file.path, "the pixels"):
            if _is_plain(job.frame, out.dtype, like):
                _read_plain(job.frame, out[job.channel, job.plane], scratch)
                continue
            found = _any(job.frame, like, out.dtype)
            out[job.channel : job.channel + len(found), job.plane] = found


def _is_plain(frame: Frame, dtype: np.dtype[np.generic], like: Like | None) -> bool:
    """Whether the stored numbers can be read into their place and scaled there."""
    form, scale, file = frame.sheet.form, frame.sheet.scale, frame.sheet.file
    return (
        (file.syntax in _PLAIN or is_compressed(file))
        and form.allocated == 16
        and form.samples == 1
        and form.high == form.stored - 1
        and not form.colour
        and scale.lut is None
        and not scale.inverted
        and frame.tile is None
        and (like is None or (like.window is None and not like.voi))
        and (dtype.kind == "f" or all(number.is_integer() for number in frame.line))
        and dtype in (np.dtype(np.int16), np.dtype(np.uint16), np.dtype(np.float32))
    )


def _read_plain(frame: Frame, target: NDArray[Any], scratch: NDArray[np.uint16]) -> None:
    """Numbers of 16 bits, through `target` itself where it is as wide, else through `scratch`."""
    form, file = frame.sheet.form, frame.sheet.file
    same = target.dtype.itemsize == 2
    stored = (target if same else scratch).view(form.dtype)
    if is_compressed(file):
        decode_into(file, form, frame.number, stored.view(np.uint16))
    else:
        assert file.pixels is not None
        view = memoryview(stored.reshape(-1).view(np.uint8).data)
        read_into(view, file, file.pixels.start + frame.number * len(view))
    low, high = _significant(stored, frame)
    slope, intercept = frame.line
    if not same:
        _scaled(stored, slope, intercept, target)
        return
    limits = np.iinfo(target.dtype)
    ends = [low * slope + intercept, high * slope + intercept]
    if min(ends) < limits.min or max(ends) > limits.max:
        raise _DoesNotFit("values beyond 16 bits")
    # Arithmetic wraps on the way and is exact in the end, since the ends fit.
    if slope != 1:
        target *= np.array(int(slope)).astype(target.dtype)
    if intercept != 0:
        target += np.array(int(intercept)).astype(target.dtype)


def _significant(stored: NDArray[Any], frame: Frame) -> tuple[int, int]:
    """The least and greatest value, once the bits that do not count are gone."""
    form = frame.sheet.form
    low, high = int(stored.min()), int(stored.max())
    least, most = form.bounds
    if least <= low and high <= most:
        return low, high
    # The unused bits hold overlays or garbage
    shift = form.allocated - form.stored
    np.left_shift(stored, shift, out=stored)
    np.right_shift(stored, shift, out=stored)
    return int(stored.min()), int(stored.max())


def _scaled(stored: NDArray[Any], slope: float, intercept: float, out: NDArray[Any]) -> None:
    """slope × stored + intercept, rounded once."""
    whole = slope.is_integer() and intercept.is_integer()
    if whole and abs(slope) <= 128 and abs(intercept) <= 1 << 20:  # exact below 2²⁴
        np.multiply(stored, np.float32(slope), out=out, dtype=np.float32)
        out += np.float32(intercept)
        return
    wide = stored.astype(np.float64)
    wide *= slope
    wide += intercept
    out[...] = wide


def _any(frame: Frame, like: Like | None, dtype: np.dtype[np.generic]) -> NDArray[Any]:
    """One frame's values (samples, rows, columns), by the way that knows every kind of pixel."""
    sheet, form = frame.sheet, frame.sheet.form
    stored = stored_values(sheet.file, form, frame.number, frame.number + 1)
    if frame.tile is not None:
        top, bottom, left, right = frame.tile
        stored = stored[:, :, top:bottom, left:right]
    if form.colour:
        if like is not None and (like.window is not None or like.voi):
            raise FormatError("a colour picture has no window", file=sheet.file.path)
        palette = form.photometric == "PALETTE COLOR"
        return (values.palette_rgb(stored, sheet.file.path) if palette else stored)[:, 0]
    voi = like is not None and like.voi  # the file's own window lies in its header
    elements = open_dicom(sheet.file.path, WANTED).elements if voi else sheet.file.elements
    tags = Tags(elements, sheet.file.path)
    found = values.viewed(stored, form, _scale(frame), tags, like)[:, 0]
    if dtype.kind in "iu" and found.dtype.kind == "f":
        raise _DoesNotFit("values beyond 16 bits")
    return found
