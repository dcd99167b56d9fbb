"""The MetaImage header: its tags, the place of the voxels, and where they are stored.

MetaIO, docs.itk.org/en/latest/learn/metaio.html; where it leaves room, as ITK reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.payload import Payload, numbered, sibling
from hounsfield.formats.places import HUGE, patient
from hounsfield.formats.remarks import KEY
from hounsfield.geometry import Calibration, Geometry, Plane

START = re.compile(
    rb"\s*(ObjectType\s*=\s*Image\b|(Comment|NDims|DimSize|BinaryData\w*|CompressedData)\s*=)"
)
MAX_HEADER = 1 << 20
MAX_AXES = 10

TYPES = {  # ElementType -> numpy's type; MET_LONG has 4 bytes in every MetaIO
    "MET_CHAR": "i1", "MET_ASCII_CHAR": "i1", "MET_UCHAR": "u1",
    "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LPS = (-1.0, -1.0, 1.0)
_MILLIMETRES = {"mm": 1.0, "um": 1e-3, "cm": 10.0, "m": 1000.0, "?": 1.0, "": 1.0}
_SAME = {  # a tag and the other names that MetaIO gives it
    "TransformMatrix": ("TransformMatrix", "Rotation", "Orientation"),
    "Offset": ("Offset", "Position", "Origin"),
    "BinaryDataByteOrderMSB": ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"),
}
_NAME = re.compile(r"\w[\w |.:()/-]*")  # ITK writes what it knows of DICOM, too: `0008|0060 = MR`


@dataclass(frozen=True, eq=False)
class Tags:
    """A header's tags, the last of which is ElementDataFile; `end` is where they end."""

    file: Path
    values: Mapping[str, str]
    listed: tuple[str, ...]  # the names of files behind LIST
    end: int

    def get(self, name: str) -> str:
        found = [same for same in _SAME.get(name, (name,)) if same in self.values]
        if len({self.values[same] for same in found}) > 1:
            raise FormatError(
                f"{' and '.join(found)} say different things", file=self.file,
                remedy="take the wrong ones out of the header",
            )  # fmt: skip
        return self.values[found[0]] if found else ""

    def true(self, name: str) -> bool:
        return self.get(name)[:1] in ("T", "t", "1")

    def whole(self, name: str, otherwise: int) -> int:
        word = self.get(name)
        if not word:
            return otherwise
        if not re.fullmatch(r"[+-]?\d{1,18}", word):
            raise FormatError(f"{name} = {word[:40]!r}", file=self.file, expected="a whole number")
        return int(word)

    def reals(self, name: str, count: int) -> NDArray[np.float64] | None:
        """So many finite numbers; None where the tag is absent.

        Raises:
            GeometryError: another count, or no finite numbers.
        """
        text = self.get(name)
        if not text:
            return None
        try:
            found = np.array([float(word) for word in text.split()])
        except ValueError:
            found = np.array([np.nan])
        if len(found) != count or not (np.abs(found) < HUGE).all():
            raise GeometryError(
                f"{name} = {text[:80]}", file=self.file, expected=f"{count} finite numbers",
                remedy="correct the header; a geometry is never guessed",
            )  # fmt: skip
        return found

    @property
    def sizes(self) -> tuple[int, ...]:
        """The fastest axis first."""
        words = self.get("DimSize").split()
        count = self.whole("NDims", 0)
        whole = all(re.fullmatch(r"\d{1,18}", word) for word in words)
        sizes = tuple(int(word) for word in words) if whole else ()
        if len(sizes) != count or not 2 <= count <= MAX_AXES or min(sizes) < 1:
            raise FormatError(
                f"NDims = {count}, DimSize = {' '.join(words)[:60]!r}", file=self.file,
                expected=f"2 to {MAX_AXES} axes, each of at least one voxel",
                remedy="copy the file again",
            )  # fmt: skip
        return sizes

    @property
    def numbers(self) -> int:
        """Stored numbers in a voxel."""
        count = self.whole("ElementNumberOfChannels", 1)
        if count < 1:
            raise FormatError(f"{count} channels in a voxel", file=self.file)
        return count

    @property
    def remark(self) -> str:
        """Our own line about the channels, put together again."""
        parts: list[str] = []
        while (part := self.values.get(f"{KEY}{len(parts)}")) is not None:
            parts.append(part)
        return "".join(parts)


def parse(path: Path) -> Tags:
    """The tags up to ElementDataFile.

    Raises:
        FormatError: a line that is no tag, or no ElementDataFile.
    """
    values: dict[str, str] = {}
    number = 0
    with path.open("rb") as file:
        while raw := file.readline(MAX_HEADER):
            line, number = raw.decode("utf-8", "replace").strip(), number + 1
            name, mark, text = line.partition("=")
            name, text = name.strip(), text.strip()
            if not line:
                continue
            if not mark or not _NAME.fullmatch(name) or name in values:
                raise FormatError(  # without the line itself, which may name a person
                    f"line {number} of the header is no tag, or says one twice", file=path,
                    expected="Name = value", remedy="copy the file again",
                )  # fmt: skip
            values[name] = text
            if name == "ElementDataFile":
                end = file.tell()
                rest = file.read(MAX_HEADER) if text.split()[:1] == ["LIST"] else b""
                names = [line.strip() for line in rest.decode("utf-8", "replace").splitlines()]
                return Tags(path, values, tuple(name for name in names if name), end)
            if file.tell() > MAX_HEADER:
                break
    raise FormatError(
        "the header has no ElementDataFile", file=path,
        remedy="copy the file again; it is truncated",
    )  # fmt: skip


def payload_of(tags: Tags) -> Payload:
    """Where and how the voxels are stored.

    Raises:
        FormatError: a type or coding that is not read, or files that are not beside the header.
    """
    kind = TYPES.get(tags.get("ElementType").removesuffix("_ARRAY"))
    if kind is None:
        raise FormatError(
            f"ElementType = {tags.get('ElementType')[:40]!r}", file=tags.file,
            expected=f"one of {', '.join(TYPES)}",
        )  # fmt: skip
    text = bool(tags.get("BinaryData")) and not tags.true("BinaryData")
    coding = "text" if text else "zlib" if tags.true("CompressedData") else "raw"
    order = ">" if tags.true("BinaryDataByteOrderMSB") else "<"
    shape = (*tags.sizes[::-1], *((tags.numbers,) if tags.numbers > 1 else ()))
    files, begin = _files(tags)
    before = tags.whole("HeaderSize", 0)
    if before < -1:
        raise FormatError(f"HeaderSize = {before}", file=tags.file, expected="-1, 0 or more")
    start = before if before else begin
    starts = (start,) * len(files)
    return Payload(tags.file, files, starts, shape, np.dtype(order + kind), coding)


def _files(tags: Tags) -> tuple[tuple[Path, ...], int]:
    """The files of the voxels, and the byte where they begin."""
    words = tags.values["ElementDataFile"].split()
    if not words:
        raise FormatError("ElementDataFile names nothing", file=tags.file)
    if words[0].upper() == "LOCAL":
        return (tags.file,), tags.end
    if words[0] == "LIST":
        depth = re.fullmatch(r"(\d)D?", words[1]) if len(words) > 1 else None
        count = _pieces(tags, int(depth[1]) if depth else len(tags.sizes) - 1)
        names = list(tags.listed)
    elif "%" in words[0]:
        count = _pieces(tags, len(tags.sizes) - 1)
        span = [int(word) if re.fullmatch(r"-?\d{1,9}", word) else 0 for word in words[1:4]]
        first, last, step = (*span, *(1, count, 1)[len(span) :])
        last = first + (count - 1) * step if len(span) < 2 else last
        names = numbered(tags.file, words[0], (first, last, step), count)
    else:
        names, count = [tags.values["ElementDataFile"]], 1
    if len(names) != count:
        raise FormatError(
            f"lists {len(names)} files of voxels", file=tags.file, expected=str(count),
            remedy="complete the list",
        )  # fmt: skip
    return tuple(sibling(tags.file, name) for name in names), 0


def _pieces(tags: Tags, axes: int) -> int:
    if not 1 <= axes <= len(tags.sizes):
        raise FormatError(f"files of {axes} axes for {len(tags.sizes)}", file=tags.file)
    return prod(tags.sizes[axes:])


def geometry_of(tags: Tags, calibration: Calibration) -> Geometry:
    """Where the voxels are; None without ElementSpacing (or ElementSize, which ITK takes then).

    A matrix and an offset that are absent are the identity and 0, as MetaIO has it.
    AnatomicalOrientation only describes the matrix; the centre of rotation moves nothing,
    as in ITK.

    Raises:
        GeometryError: singular, not finite, or turned into a fourth axis.
    """
    count = len(tags.sizes)
    spacing = "ElementSpacing" if tags.get("ElementSpacing") else "ElementSize"
    sizes = tags.reals(spacing, count)
    turn = tags.reals("TransformMatrix", count * count)
    start = tags.reals("Offset", count)
    if sizes is None:
        return None
    unit = _MILLIMETRES.get(tags.get("DistanceUnits").lower())
    matrix = np.eye(count) if turn is None else turn.reshape(count, count).T
    space = min(count, 3)
    if unit is None or matrix[space:, :space].any() or matrix[:space, space:].any():
        raise GeometryError(
            f"TransformMatrix = {tags.get('TransformMatrix')[:80]!r} in "
            f"DistanceUnits = {tags.get('DistanceUnits')[:20]!r}",
            file=tags.file,
            expected="axes in space and others apart; mm, um, cm or m",
        )
    steps = matrix[:space, :space] * sizes[:space] * unit
    if space == 2:
        return _plane(tags, steps, calibration)
    ras_from_voxel = np.eye(4)
    ras_from_voxel[:3, :3] = steps
    if start is not None:
        ras_from_voxel[:3, 3] = start[:3] * unit
    ras_from_voxel[:3] *= np.array(_LPS)[:, None]
    if tags.sizes[2] == 1 and sizes[2] == 0:
        return _plane(tags, steps[:2, :2], calibration)
    return patient(ras_from_voxel, tags.file)


def _plane(tags: Tags, steps: NDArray[np.float64], calibration: Calibration) -> Plane:
    x, y = (float(size) for size in np.linalg.norm(steps, axis=0))
    if x * y == 0 or abs(steps[:, 0] @ steps[:, 1]) > 1e-4 * x * y:
        raise GeometryError(
            f"the directions of rows and columns are {steps.T.tolist()}", file=tags.file,
            expected="two directions at right angles", remedy="correct the header",
        )  # fmt: skip
    return Plane((x, y), calibration)


def said(value: Any) -> str:
    """A number or several as a tag has them, to the last bit."""
    return " ".join(repr(float(one)) for one in np.ravel(value))
