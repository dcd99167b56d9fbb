"""Pictures as rows of a CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.errors import FormatError
from hounsfield.formats import pixel_csv
from hounsfield.formats.contract import HEAD_BYTES, Like, Source

LABELLED = "label,pixel0,pixel1,pixel2,pixel3\n7,0,1,2,255\n3,9,8,7,6\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "digits.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_a_picture_from_the_top_left(tmp_path: Path) -> None:
    path = _file(tmp_path, LABELLED)
    first, second = pixel_csv.find(path)
    assert (first, second) == (Source.of(path, "0"), Source.of(path, "1"))
    image = pixel_csv.read(first)
    assert image.array.tolist() == [[[[0, 1], [2, 255]]]]
    assert image.array.dtype == np.uint8
    header = pixel_csv.header(second)
    assert (header.shape, header.dtype) == (image.shape, image.array.dtype)
    assert pixel_csv.read(first, Like(dtype=np.dtype(np.float32))).array.dtype == np.float32
    shown = pixel_csv.read(first, Like(window=(1, 2))).array
    assert shown.tolist() == [[[[0, 0.5], [1, 1]]]]
    with pytest.raises(FormatError, match="no VOI LUT"):
        pixel_csv.read(first, Like(voi=True))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(2, 5).flatmap(
        lambda side: st.lists(
            st.lists(st.integers(0, 255), min_size=side**2, max_size=side**2),
            min_size=1,
            max_size=4,
        )
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]
) -> None:
    header = ",".join(f"pixel{i}" for i in range(len(rows[0])))
    text = "\r\n".join([header, *(",".join(map(str, row)) for row in rows), ""])
    path = _file(tmp_path_factory.mktemp("rows"), text)
    read = [pixel_csv.read(source).array.ravel().tolist() for source in pixel_csv.find(path)]
    assert read == rows


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    source = Source.of(_file(tmp_path, LABELLED), "0")
    assert pixel_csv.read(source).array.max() == 255
    _file(tmp_path, "pixel0,pixel1,pixel2,pixel3\n100,1,1,1\n")
    assert pixel_csv.read(source).array.max() == 100


@pytest.mark.parametrize(
    ("head", "ours"),
    [
        (b"label,pixel0,pixel1,", True),
        (b"pixel0,pixel1,pixel2\n", True),
        (b'\xef\xbb\xbf"label","pixel1","pixel2"\r\n', True),
        (b"label,pixels\n", False),
        (b"id,label,pixel0,pixel1,", False),
        (b"\x89PNG", False),
    ],
)
def test_sniffs_the_header(head: bytes, ours: bool) -> None:
    assert pixel_csv.sniff(head[:HEAD_BYTES], Path("any.name")) is ours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,pixel0,pixel1\n1,2,3\n", "2 pixels make no square"),
        ("pixel0,pixel1,pixel2,pixel3\n1,2,3,256\n", "cannot be read"),
        ("pixel0,pixel1,pixel2,pixel3\n1,2,3,-1\n", "cannot be read"),
        ("pixel0,pixel1,pixel2,pixel3\n1,2,3,x\n", "cannot be read"),
        ("pixel0,pixel1,pixel2,pixel3\n1,2,3\n", "cannot be read|has empty cells"),
        ("pixel0,pixel1,pixel2,pixel3\n1,,3,4\n", "column pixel1 has empty cells"),
        ("pixel0,pixel1,pixel2,pixel3\n1,2,3,4,5\n", "cannot be read"),
        ("pixel0,pixel1,pixel2,pixel3\n", "there is no row 0, only 0"),
    ],
)
def test_a_bad_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        pixel_csv.read(Source.of(_file(tmp_path, text), "0"))
    assert "square number of pixels" in (caught.value.remedy or "")


@pytest.mark.parametrize("member", [None, "2", "-1", "first", "1.0"])
def test_a_row_that_is_not_there_is_refused(member: str | None, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no row"):
        pixel_csv.read(Source.of(_file(tmp_path, LABELLED), member))


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be opened"):
        pixel_csv.header(Source.of(tmp_path / "gone.csv", "0"))
