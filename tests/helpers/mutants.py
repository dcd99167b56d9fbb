"""Damaged copies of files: the same number gives the same damage, so a search can be resumed.

Most damage falls on headers, where it misleads; the rest anywhere.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

HEAD = 1024  # bytes where most formats say what the rest is
_NUMBERS = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORDS = re.compile(rb"[A-Za-z_]{3,}")
_TEXTS = (b"-1", b"0", b"nan", b"inf", b"1e400", b"4294967296", b"99999999999999999999", b"0.5",
          b"", b"../../../../etc/passwd", b"\xff\xfe", b"%s%n", b"1 2 3 4")  # fmt: skip
_ABSURD = tuple(
    np.array(value, kind).tobytes()
    for kinds, values in (
        (("<i2", ">i2"), (-1, 0, 32767, -32768, 1, 2, 512)),
        (("<i4", ">i4"), (-1, 0, 2**31 - 1, -(2**31), 65536)),
        (("<i8", ">i8"), (-1, 2**62)),
        (("<f4", ">f4"), (np.nan, np.inf, -1, 0, 1e38, 1e-38)),
        (("<f8", ">f8"), (np.nan, -np.inf, 1e300)),
    )
    for kind in kinds
    for value in values
)


@dataclass(frozen=True)
class Mutant:
    """The files of a seed, one of them damaged; `kind` tells how."""

    files: Mapping[str, bytes]
    kind: str
    only_voxels: bool  # no byte outside the voxels was touched
    checked: bool  # the container's own checksum covers what was touched


def mutant(files: Mapping[str, bytes], number: int, voxels: bytes, others: list[bytes]) -> Mutant:
    """The damaged copy of a number; `voxels` as they lie in the file, `others` to splice with."""
    rng = np.random.default_rng([number, 4])
    name = sorted(files)[int(rng.integers(len(files)))]
    data = files[name]
    zipped = data[:2] == b"\x1f\x8b"
    inside = zipped and number % 4 != 0
    whole = gzip.decompress(data) if inside else data
    kinds = list(KINDS)
    kind = kinds[number % len(kinds)]
    changed = bytes(KINDS[kind](bytearray(whole), rng, others))
    only = _only_voxels(whole, changed, voxels)
    if inside:
        changed = _gzipped(changed)
    return Mutant({**files, name: changed}, kind, only, zipped and not inside)


def _gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _only_voxels(before: bytes, after: bytes, voxels: bytes) -> bool:
    """Whether the bytes around the voxels are as they were."""
    at = before.find(voxels) if voxels else -1
    if at < 0 or len(before) != len(after):
        return False
    end = at + len(voxels)
    return before[:at] == after[:at] and before[end:] == after[end:]


def _place(data: bytearray, rng: np.random.Generator, room: int = 0) -> int:
    """Somewhere, mostly in the header."""
    reach = len(data) if rng.random() < 0.25 else min(len(data), HEAD)
    return int(rng.integers(max(1, reach - room)))


def flip(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """One to twenty bits."""
    for _ in range(int(rng.integers(1, 20)) if data else 0):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def flip_late(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """Bits of the second half, where voxels are."""
    for _ in range(int(rng.integers(1, 8)) if data else 0):
        data[int(rng.integers(len(data) // 2, len(data)))] ^= 1 << int(rng.integers(8))
    return data


def cut(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """The end is missing."""
    del data[_place(data, rng) if rng.random() < 0.5 else int(rng.integers(1 + len(data))) :]
    return data


def absurd(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """A number of the header becomes an absurd one, at an even place as fields are."""
    value = _ABSURD[int(rng.integers(len(_ABSURD)))]
    at = _place(data, rng, len(value)) & ~1
    data[at : at + len(value)] = value
    return data


def text(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """A number or word in plain text becomes another."""
    pattern = _NUMBERS if rng.random() < 0.8 else _WORDS
    found = list(pattern.finditer(bytes(data[: 4 * HEAD])))
    if not found:
        return absurd(data, rng, others)
    match = found[int(rng.integers(len(found)))]
    new = _TEXTS[int(rng.integers(len(_TEXTS)))]
    if rng.random() < 0.5:  # of the same length, so that nothing behind it moves
        new = new[: len(match[0])].ljust(len(match[0]), b" ")
    data[match.start() : match.end()] = new
    return data


def swap(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """Two blocks change places."""
    size = int(2 ** rng.integers(1, 7))
    one, two = _place(data, rng, size), _place(data, rng, size)
    data[one : one + size], data[two : two + size] = (
        data[two : two + size],
        data[one : one + size],
    )
    return data


def repeat(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """A piece stands twice, or is left out."""
    at, size = _place(data, rng), int(rng.integers(1, 64))
    if rng.random() < 0.5:
        del data[at : at + size]
    else:
        data[at:at] = data[at : at + size]
    return data


def splice(data: bytearray, rng: np.random.Generator, others: list[bytes]) -> bytearray:
    """The beginning of this file and the end of another."""
    other = others[int(rng.integers(len(others)))] if others else bytes(data)
    return data[: _place(data, rng)] + other[int(rng.integers(1 + len(other))) :]


Damage = Callable[[bytearray, np.random.Generator, list[bytes]], bytearray]
KINDS: dict[str, Damage] = {
    "bits": flip,
    "late bits": flip_late,
    "cut": cut,
    "absurd": absurd,
    "text": text,
    "swap": swap,
    "repeat": repeat,
    "splice": splice,
}
