"""What the header of an .npy may promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield.errors import FormatError
from hounsfield.formats import numpy_arrays
from hounsfield.formats.contract import Source

ARRAY = np.arange(20, dtype=np.int16).reshape(4, 5)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, ARRAY, version)
    np.testing.assert_array_equal(
        numpy_arrays.read(Source.of(tmp_path / "x.npy")).array[0, 0], ARRAY
    )


@pytest.mark.parametrize("major", [2, 9])
def test_a_header_of_gigabytes_is_not_made_room_for(tmp_path: Path, major: int) -> None:
    """NumPy asks for the memory first, and then sees that the file is short."""
    np.save(tmp_path / "x.npy", ARRAY)
    data = bytearray((tmp_path / "x.npy").read_bytes())
    data[6], data[8:12] = major, b"\xff\xff\xff\xff"
    (tmp_path / "x.npy").write_bytes(bytes(data))
    with pytest.raises(FormatError, match=r"header of 4,294,967,295 bytes"):
        numpy_arrays.header(Source.of(tmp_path / "x.npy"))
