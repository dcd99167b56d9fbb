"""The NRRD header: its fields, its axes, and where the voxels lie.

"Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.payload import Payload, after_lines, numbered, sibling
from hounsfield.formats.places import HUGE

MAGIC = re.compile(rb"NRRD000[1-9]\r?\n")
MAX_HEADER = 4 << 20
MAX_AXES = 16

_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
TYPES = {name: kind for kind, names in _TYPES.items() for name in names.split(", ")}
CODINGS = {
    "raw": "raw", "txt": "text", "text": "text", "ascii": "text", "hex": "hex",
    "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2",
}  # fmt: skip
_SPATIAL = ("domain", "space")
_UNKNOWN = ("???", "none")


@dataclass(frozen=True, eq=False)
class Nrrd:
    """A parsed header. Names of fields are in lower case without spaces; axes fastest first."""

    file: Path
    fields: Mapping[str, str]
    pairs: Mapping[str, str]  # key:=value; may name people, so it is never kept
    payload: Payload

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.payload.shape[::-1]

    def words(self, field: str, otherwise: str = "???") -> list[str]:
        """A per-axis field of words."""
        text = self.fields.get(field)
        return self._each(field, text.lower().split() if text else [otherwise] * len(self.sizes))

    def reals(self, field: str) -> list[float]:
        """A per-axis field of numbers; NaN where an axis has none."""
        text = self.fields.get(field)
        words = text.split() if text else ["nan"] * len(self.sizes)
        return [_real(word, field, self.file) for word in self._each(field, words)]

    def quoted(self, field: str, count: int) -> list[str]:
        text = self.fields.get(field)
        found = re.findall(r'"((?:\\.|[^"\\])*)"', text) if text else [""] * count
        return self._each(field, [word.strip() for word in found], count)

    def _each(self, field: str, found: list[str], count: int | None = None) -> list[str]:
        wanted = len(self.sizes) if count is None else count
        if len(found) != wanted:
            raise FormatError(
                f"the field {field!r} has {len(found)} entries", file=self.file,
                expected=f"{wanted}, one for each axis", remedy="correct the header",
            )  # fmt: skip
        return found

    @cached_property
    def directions(self) -> list[NDArray[np.float64] | None]:
        """The step along each axis in space; None for an axis that has none."""
        text = self.fields.get("spacedirections", "")
        if not text:
            return [None] * len(self.sizes)
        found = self._each("space directions", re.findall(r"\([^()]*\)|[^\s()]+", text))
        return [
            None if one.lower() in _UNKNOWN else vector_of(one, "space directions", self.file)
            for one in found
        ]

    @cached_property
    def spatial(self) -> list[int]:
        """The axes that become x, y, z: those with directions, else those that say so."""
        steps = self.directions
        if any(step is not None for step in steps):
            timed = self.timed
            return [i for i, step in enumerate(steps) if step is not None and not timed[i]]
        kinds, spacings = self.words("kinds"), self.reals("spacings")
        bare = "spacings" not in self.fields
        found = [
            i
            for i, kind in enumerate(kinds)
            if kind in _SPATIAL or (kind in _UNKNOWN and (bare or not np.isnan(spacings[i])))
        ]
        return found[:3]

    @cached_property
    def timed(self) -> list[bool]:
        """Which axes lie along the fourth axis of a space with time."""
        return [
            step is not None and len(step) == 4 and bool(step[3]) and not step[:3].any()
            for step in self.directions
        ]


def parse(path: Path) -> Nrrd:
    """The header of an attached (.nrrd) or detached (.nhdr) file.

    Raises:
        FormatError: a field outside the definition, or voxels in a file that is not beside it.
    """
    with path.open("rb") as file:
        magic = file.readline(64)
        if not MAGIC.fullmatch(magic):
            raise FormatError("no NRRD header", file=path, remedy="copy the file again")
        lines, listed, ended = _lines(file, path)
        start = file.tell()
    fields, pairs = _fields(lines, path)
    sizes = _sizes(fields, path)
    if "datafile" not in fields and not ended:
        raise FormatError(
            "the header has no end", file=path, remedy="copy the file again; it is truncated"
        )
    files = _files(fields, listed, sizes, path)
    return Nrrd(path, fields, pairs, _payload(fields, sizes, (path, start), files))


def _lines(file: Any, path: Path) -> tuple[list[str], list[str], bool]:
    """The lines up to an empty one (or LIST), the names behind LIST, whether there was an end."""
    lines: list[str] = []
    while raw := file.readline(MAX_HEADER):
        line = raw.rstrip(b"\r\n").decode("utf-8", errors="replace")
        if not line:
            return lines, [], True
        lines.append(line)
        if file.tell() > MAX_HEADER:
            raise FormatError(f"a header of more than {MAX_HEADER:,} bytes", file=path)
        if re.match(r"data ?file: *LIST", line):
            rest = file.read(MAX_HEADER).decode("utf-8", errors="replace")
            return lines, [name.strip() for name in rest.splitlines() if name.strip()], True
    return lines, [], False


def _fields(lines: list[str], path: Path) -> tuple[dict[str, str], dict[str, str]]:
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for number, line in enumerate(lines, 2):
        if line.startswith("#"):
            continue
        key, mark, value = line.partition(":=")
        name, colon, text = line.partition(": ")
        if mark and (not colon or len(key) < len(name)):
            pairs[key] = value
            continue
        name = name.replace(" ", "").lower()
        if not colon or name in fields:
            raise FormatError(  # without the line itself, which may name a person
                f"line {number} of the header is no field, or says one twice", file=path,
                expected="`name: value` or `key:=value`", remedy="copy the file again",
            )  # fmt: skip
        fields[name] = text.strip()
    return fields, pairs


def _sizes(fields: dict[str, str], path: Path) -> tuple[int, ...]:
    sizes = tuple(_whole(word, "sizes", path) for word in _needed(fields, "sizes", path).split())
    count = _whole(_needed(fields, "dimension", path), "dimension", path)
    if count != len(sizes) or not 1 <= count <= MAX_AXES or min(sizes) < 1:
        raise FormatError(
            f"{count} axes of sizes {sizes[:MAX_AXES]}", file=path, remedy="correct the header",
            expected=f"1 to {MAX_AXES} axes, each of at least one sample",
        )  # fmt: skip
    return sizes


def _files(
    fields: dict[str, str], listed: list[str], sizes: tuple[int, ...], path: Path
) -> list[Path] | None:
    """The files of a detached header; None where the voxels are attached."""
    words = fields.get("datafile", "").split()
    if not words:
        return None
    if words[0] == "LIST":
        names = listed
        pieces = _pieces(words[1:], sizes, path)
    elif "%" in words[0] and len(words) in (4, 5):
        pieces = _pieces(words[4:], sizes, path)
        first, last, step = (_whole(word, "data file", path) for word in words[1:4])
        names = numbered(path, words[0], (first, last, step), pieces)
    else:
        names, pieces = [fields["datafile"]], 1
    if len(names) != pieces:
        raise FormatError(
            f"lists {len(names)} files of voxels", file=path, expected=str(pieces),
            remedy="complete the list",
        )  # fmt: skip
    return [sibling(path, name) for name in names]


def _pieces(words: list[str], sizes: tuple[int, ...], path: Path) -> int:
    """How many files of so many axes the array is cut into; by default one axis less than all."""
    axes = _whole(words[0], "data file", path) if words else len(sizes) - 1
    if not 1 <= axes <= len(sizes):
        raise FormatError(f"files of {axes} axes for an array of {len(sizes)}", file=path)
    return int(np.prod(sizes[axes:], dtype=object))


def _payload(
    fields: dict[str, str],
    sizes: tuple[int, ...],
    attached: tuple[Path, int],
    detached: list[Path] | None,
) -> Payload:
    path = attached[0]
    kind = TYPES.get(" ".join(_needed(fields, "type", path).lower().split()))
    coding = CODINGS.get(_needed(fields, "encoding", path).lower())
    if kind is None or coding is None:
        raise FormatError(
            f"type {fields['type'][:40]!r} in encoding {fields['encoding'][:40]!r}", file=path,
            expected=f"integers of 8 to 64 bits, float or double; {', '.join(CODINGS)}",
        )  # fmt: skip
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and not (kind[1] == "1" or coding == "text"):
        raise FormatError(f"endian {endian!r}", file=path, expected="little or big")
    lines = _whole(fields.get("lineskip", "0"), "line skip", path)
    skip = _whole(fields.get("byteskip", "0"), "byte skip", path)
    if lines < 0 or (skip < 0 and coding != "raw"):
        raise FormatError(
            f"line skip {lines}, byte skip {skip} in encoding {coding}", file=path,
            expected="numbers from 0; -1 in raw encoding alone",
        )  # fmt: skip
    files = tuple(detached or [path])
    begin = 0 if detached else attached[1]
    starts = tuple(skip if skip < 0 else after_lines(file, begin, lines) for file in files)
    dtype = np.dtype((">" if endian == "big" else "<") + kind)
    return Payload(path, files, starts, sizes[::-1], dtype, coding, max(skip, 0))


def _needed(fields: dict[str, str], name: str, path: Path) -> str:
    if not fields.get(name):
        raise FormatError(
            f"the header has no field {name!r}", file=path, remedy="copy the file again"
        )
    return fields[name]


def _whole(word: str, field: str, path: Path) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", word):
        raise FormatError(f"{field}: {word[:40]!r}", file=path, expected="a whole number")
    return int(word)


def _real(word: str, field: str, path: Path) -> float:
    try:
        value = float("nan") if word == "???" else float(word)
    except ValueError:
        value = HUGE
    if HUGE <= abs(value) < float("inf"):
        raise FormatError(f"{field}: {word[:40]!r}", file=path, expected="a number below 1e30")
    return value


def vector_of(text: str, field: str, path: Path) -> NDArray[np.float64]:
    words = text.strip().removeprefix("(").removesuffix(")").split(",")
    vector = np.array([_real(word, field, path) for word in words])
    if not 2 <= len(vector) <= 4 or not np.isfinite(vector).all():
        raise GeometryError(
            f"{field}: {text[:80]!r}", file=path, expected="2 to 4 finite numbers in brackets"
        )
    return vector
