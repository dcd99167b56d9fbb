"""From placed frames to volumes: which belong together, in what order, and on which grid.

Frames of one series, kind, size and orientation are one stack. Sorted along their normal, each
place must hold the same number of frames: one for a volume, k for k volumes (times, echoes,
diffusion weightings). The places must lie evenly; whatever does not is an error with the
positions, never a mean spacing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.folders import home
from hounsfield.formats.dicom.frames import Frame
from hounsfield.formats.dicom.geometry import affine_of, dot, normal_of
from hounsfield.formats.places import patient
from hounsfield.geometry import Geometry, Patient, Plane

SAME = 2e-3  # mm: closer frames lie at one place
UNEVEN = 1e-2  # of a step: a slice further from where it should be is out of place
MOST_UNEVEN = 0.1  # the same, where the file rounds its positions to a decimal or two
_TURNED = 1e-3  # of a direction cosine: a larger difference is another orientation
_NAMED = 4  # places that a message lists


@dataclass(frozen=True, eq=False)
class Stack:
    """The frames of one image, in the order of their files; a fault shows itself when asked."""

    frames: tuple[Frame, ...]
    name: str = ""  # of the values, where they are more than the series says

    @property
    def first(self) -> Frame:
        return self.frames[0]

    @cached_property
    def paths(self) -> list[Path]:
        """The files, each once, in order."""
        return list(dict.fromkeys(frame.sheet.file.path for frame in self.frames))

    @property
    def home(self) -> Path:
        """The file, or the folder that holds all files: single slices say little in a message."""
        if len(self.paths) == 1:
            return self.paths[0]
        return home(self.paths)

    def mended(self) -> Stack:
        """The same stack without damaged slices, and with the first of those that are doubled.

        Raises:
            FormatError: all slices are damaged.
        """
        whole = Stack(tuple(f for f in self.frames if f.sheet.fault is None), self.name)
        if not whole.frames:
            return self
        counts = [len(place) for place in whole.places]
        if min(counts) == max(counts) or _usual(counts) > 1:  # of several volumes none may go
            return whole
        return Stack(tuple(sorted(place, key=_in_order)[0] for place in whole.places), self.name)

    @cached_property
    def places(self) -> list[list[Frame]]:
        """The frames at each place, sorted along the normal."""
        normal = normal_of(self.first.cosines)
        far = sorted(((dot(frame.position, normal), i) for i, frame in enumerate(self.frames)))
        places: list[list[Frame]] = []
        last = -np.inf
        for mm, i in far:
            if mm - last > SAME:
                places.append([])
                last = mm
            places[-1].append(self.frames[i])
        return places

    @cached_property
    def volumes(self) -> list[list[Frame]]:
        """The frames of each volume, in order; (volumes, slices).

        Raises:
            FormatError: a file's pixels are not all there.
            GeometryError: a place has more frames than another.
        """
        for frame in self.frames:
            if frame.sheet.fault is not None:
                raise self.fault_of(frame)
        return self._sorted

    @cached_property
    def _sorted(self) -> list[list[Frame]]:
        """The same, whatever is wrong with their pixels."""
        counts = [len(place) for place in self.places]
        if min(counts) != max(counts):
            raise self._unequal(counts)
        self._check_in_line()
        self._check_told_apart()
        sorted_places = _agreeing([sorted(place, key=_in_order) for place in self.places])
        return [list(volume) for volume in zip(*sorted_places, strict=True)]

    def _check_told_apart(self) -> None:
        """Several frames at a place need something that orders them; volumes mix no contrasts."""
        for place in self.places:
            if len(set(map(_in_order, place))) < len(place):
                raise GeometryError(
                    f"{len(place)} pictures at one place, {place[0].position} mm, and neither "
                    "their numbers nor times, echoes or b-values tell them apart",
                    file=self.home,
                    expected="one picture at each place, or a number of each",
                    remedy="remove the copies, or read them one by one",
                )
        for name, word in (("echo", "echo times"), ("b_value", "b-values")):
            if _is_mixed(self.places, name):
                raise GeometryError(
                    f"slices of different {word} in one volume",
                    file=self.home,
                    expected="all of them at each place",
                    remedy="find the missing files",
                )

    def _check_in_line(self) -> None:
        """Frames at one distance along the normal must lie at one place, not side by side."""
        for place in self.places:
            for frame in place[1:]:
                if max(map(abs, np.subtract(frame.position, place[0].position))) > SAME:
                    raise GeometryError(
                        f"pictures lie side by side in one plane, at {place[0].position} and "
                        f"{frame.position} mm",
                        file=frame.sheet.file.path,
                        expected="slices that lie above each other",
                        remedy="read them one by one",
                    )

    @cached_property
    def offsets(self) -> NDArray[np.float64]:
        """How far each place lies from the first one, in mm along the stack; with gaps and all.

        Raises:
            GeometryError: the places do not lie on one line; no gap is the reason.
        """
        corners = np.array([place[0].position for place in self.places])
        way = corners[-1] - corners[0]
        length = float(np.linalg.norm(way)) or 1.0
        mm = (corners - corners[0]) @ way / length
        aside = np.linalg.norm(corners - corners[0] - np.outer(mm, way) / length, axis=1)
        if aside.max() > _tolerance(corners, length / max(len(corners) - 1, 1)):
            raise GeometryError(
                f"slices lie up to {aside.max():.2f} mm beside the line from the first to the last",
                file=self.home,
                expected="slices above each other",
                remedy="read them one by one; gaps cannot be filled sideways",
            )
        return np.asarray(mm)

    @cached_property
    def geometry(self) -> Geometry:
        """The grid: `Patient`, or `Plane` for one slice without a known thickness.

        Raises:
            GeometryError: slices that are missing, doubled or unevenly spaced, or do not lie on
                one line; the message lists the positions.
        """
        assert self.volumes
        return self._grid

    @cached_property
    def _grid(self) -> Geometry:
        """The same, whatever is wrong with the pixels."""
        volumes = self._sorted
        if len(self.places) == 1:
            return self._one_slice()
        self._check_even()
        return self.grid(len(volumes[0]))

    @cached_property
    def is_even(self) -> bool:
        """Whether the frames make whole volumes on an even grid."""
        try:
            return self._grid is not None
        except GeometryError:
            return False

    def grid(self, slices: int) -> Patient:
        """The even grid of so many slices from the first place to the last."""
        first, last = self.places[0][0], self.places[-1][0]
        step = np.subtract(last.position, first.position) / (slices - 1)
        affine = affine_of(first.cosines, first.spacing, step.tolist(), first.position)
        return replace(patient(affine, self.home), frame_uid=_frame_uid(first))

    def _one_slice(self) -> Geometry:
        one = self.first
        if not one.thickness:
            return Plane(one.spacing, "object")
        step = np.multiply(normal_of(one.cosines), one.thickness).tolist()
        affine = affine_of(one.cosines, one.spacing, step, one.position)
        return replace(patient(affine, self.home), frame_uid=_frame_uid(one))

    def _check_even(self) -> None:
        corners = np.array([place[0].position for place in self.places])
        even = np.linspace(corners[0], corners[-1], len(corners))
        step = float(np.linalg.norm(corners[-1] - corners[0])) / (len(corners) - 1)
        apart = np.linalg.norm(corners - even, axis=1)
        if apart.max() <= _tolerance(corners, step):
            return
        raise GeometryError(
            self._uneven(),
            file=self.home,
            expected="slices that lie evenly on one line",
            remedy="find the missing files; or `--fill-gaps` (read(like=Like(fill_gaps=True))) "
            "resamples onto an even grid",
        )

    def _uneven(self) -> str:
        mm = self._along()
        steps = np.diff(mm)
        usual = float(np.median(steps))
        wide = np.flatnonzero(np.abs(steps - usual) > max(UNEVEN * usual, SAME))
        ends = [f"{mm[i]:.2f} and {mm[i + 1]:.2f}" for i in wide[:_NAMED]]
        more = ", …" if len(wide) > _NAMED else ""
        count = round(sum(steps[i] / usual - 1 for i in wide))
        whole = all(abs(steps[i] / usual - round(steps[i] / usual)) < UNEVEN for i in wide)
        if len(wide) and whole and count > 0:
            what = "1 slice is" if count == 1 else f"{count} slices are"
            return f"{what} missing between {'; '.join(ends)} mm{more} (step {usual:.3f} mm)"
        if len(wide):
            apart = f"{steps.min():.3f} to {steps.max():.3f} mm apart"
            return f"uneven slices: {apart}, {'; '.join(ends)} mm{more}"
        return "the slices do not lie on one line"

    def fault_of(self, frame: Frame) -> FormatError:
        """Why a slice cannot be read, told by its place: its file may have a person's name."""
        fault = frame.sheet.fault
        assert fault is not None
        if len(self.paths) == 1:
            return fault
        mm = dot(frame.position, normal_of(self.first.cosines))
        return FormatError(
            f"the slice at {mm:.2f} mm: {fault.problem}",
            file=self.home,
            expected=fault.expected,
            remedy=fault.remedy,
        )

    def _along(self) -> NDArray[np.float64]:
        normal = normal_of(self.first.cosines)
        return np.array([dot(place[0].position, normal) for place in self.places])

    def _unequal(self, counts: Sequence[int]) -> GeometryError:
        usual = _usual(counts)
        odd = [(mm, n) for mm, n in zip(self._along(), counts, strict=True) if n != usual]
        named = ", ".join(f"{n} at {mm:.2f} mm" for mm, n in odd[:_NAMED])
        doubled = all(n > usual for _, n in odd)
        return GeometryError(
            f"{'doubled slices' if doubled else 'incomplete volumes'}: {usual} at each place, "
            f"but {named}{', …' if len(odd) > _NAMED else ''}",
            file=self.home,
            expected="as many slices at each place",
            remedy="remove the copies, or find the missing files"
            + ("; or `--fill-gaps` takes the first of each" if doubled and usual == 1 else ""),
        )


def _usual(counts: Sequence[int]) -> int:
    return sorted(counts)[len(counts) // 2]


def _tolerance(corners: NDArray[np.float64], step: float) -> float:
    """How far, in mm, a slice may be from where an even grid has it."""
    return max(UNEVEN * step, min(_rounding(corners), MOST_UNEVEN * step))


def _rounding(corners: NDArray[np.float64]) -> float:
    """How far off, in mm, positions may be that are written with one or two decimals."""
    for decimals in (1, 2):
        if np.abs(corners - corners.round(decimals)).max() < 1e-6:
            return float(0.51 * np.sqrt(3) * 10**-decimals)
    return 1e-3


def _frame_uid(frame: Frame) -> str | None:
    uid = frame.sheet.kind[2]
    return str(uid) if uid else None


def _in_order(frame: Frame) -> tuple[tuple[float, ...], ...]:
    return frame.marks.order


_TELLING = ("temporal", "echo", "b_value", "direction", "trigger", "acquisition")


def _agreeing(places: list[list[Frame]]) -> list[list[Frame]]:
    """The frames at each place in one common order of volumes.

    The order of the instance numbers is the scanner's own and is kept wherever the marks agree
    with it: volume 3 must be the same echo everywhere. Else the marks decide.
    """
    if len(places[0]) == 1:
        return places
    telling: tuple[str, ...] = ()
    for name in _TELLING:  # as long as they say the same together at each place
        if _tells(places, (name,)) and _tells(places, (*telling, name)):
            telling = (*telling, name)
    rows = [[_marks(frame, telling) for frame in place] for place in places]
    if all(row == rows[0] for row in rows):
        return places
    order = {marks: i for i, marks in reversed(list(enumerate(rows[0])))}
    return [sorted(place, key=lambda frame: order[_marks(frame, telling)]) for place in places]


def _marks(frame: Frame, names: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(frame.marks, name) for name in names)


def _tells(places: list[list[Frame]], names: Sequence[str]) -> bool:
    """Whether some marks together have the same several values at each place."""
    found = [sorted(repr(_marks(frame, names)) for frame in place) for place in places]
    return len(set(found[0])) > 1 and all(values == found[0] for values in found)


@dataclass(eq=False)
class _Group:
    cosines: tuple[float, ...]
    frames: list[Frame] = field(default_factory=list)


def stacks_of(frames: Iterable[Frame]) -> list[Stack]:
    """The images that frames make: split by series, kind, size, spacing and orientation.

    Acquisitions of a CT series are split where each of them is a volume by itself.
    """
    kinds: dict[tuple[object, ...], list[_Group]] = defaultdict(list)
    for frame in frames:
        groups = kinds[(*frame.sheet.kind, frame.spacing, frame.part)]
        for group in groups:
            if max(abs(a - b) for a, b in zip(group.cosines, frame.cosines, strict=True)) < _TURNED:
                break
        else:
            group = _Group(frame.cosines)
            groups.append(group)
        group.frames.append(frame)
    groups = [group for some in kinds.values() for group in some]
    return [
        stack
        for group in groups
        for contrast in _contrasts(group.frames)
        for stack in _acquisitions(contrast.frames)
    ]


def _said(frame: Frame, name: str) -> float:
    """An echo, b-value or temporal position, without the digits that rounding changes."""
    return round(getattr(frame.marks, name) or 0.0, 1)


def _is_mixed(places: Sequence[Sequence[Frame]], name: str) -> bool:
    """Whether a mark has other values at some places than at others."""
    found = {tuple(sorted(_said(frame, name) for frame in place)) for place in places}
    return len(found) > 1


def _contrasts(frames: list[Frame]) -> list[Stack]:
    """One stack, or one for each echo, b-value or time that has places of its own."""
    whole = Stack(tuple(frames))
    mixed = [
        name
        for name in ("echo", "b_value", "temporal")
        if len({_said(frame, name) for frame in frames}) > 1 and _is_mixed(whole.places, name)
    ]
    if not mixed or len({len(place) for place in whole.places}) > 1:
        return [whole]
    parts = defaultdict[tuple[float, ...], list[Frame]](list)
    for frame in frames:
        parts[tuple(_said(frame, name) for name in mixed)].append(frame)
    stacks = [Stack(tuple(part)) for part in parts.values()]
    apart = all(len(stack.places) > 1 and stack.is_even for stack in stacks)
    return stacks if apart else [whole]


def _acquisitions(frames: Sequence[Frame]) -> list[Stack]:
    """One stack, or one for each acquisition where only those are volumes."""
    whole = Stack(tuple(frames))
    parts = defaultdict[float, list[Frame]](list)
    for frame in frames:
        parts[frame.marks.acquisition or 0.0].append(frame)
    if len(parts) == 1 or len(parts) == len(frames):
        return [whole]
    stacks = [Stack(tuple(parts[number])) for number in sorted(parts)]
    repeated = max(len(place) for place in whole.places) > 1
    is_ct = frames[0].sheet.kind[3] == "CT"
    apart = is_ct if repeated else not whole.is_even
    return stacks if apart and all(stack.is_even for stack in stacks) else [whole]
