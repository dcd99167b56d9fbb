"""Files cut short and with bits turned over: what every format's reader must stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from hounsfield import formats
from hounsfield.errors import FormatError, HounsfieldError


def assert_cuts_are_refused(path: Path, whole: bytes, ends: Iterable[int]) -> None:
    """The first bytes of a file, up to each of some ends, are a FormatError."""
    for end in ends:
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError):
            formats.read(path)


def assert_bent_files_end_well(path: Path, whole: bytes, count: int) -> None:
    """Files with three bits turned over end in an image of bounded size, or in our error."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        changed = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            assert formats.read(path).array.nbytes < 1 << 24
        except HounsfieldError:
            continue
