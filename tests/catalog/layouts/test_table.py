"""Any table with a column of files: what its columns mean, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import table
from hounsfield.catalog.layouts.columns import detect
from hounsfield.catalog.layouts.contract import Label
from hounsfield.catalog.layouts.reading import inside
from hounsfield.catalog.layouts.rows import Table
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source


@pytest.fixture
def write(tmp_path: Path, make: SimpleNamespace) -> Callable[..., Path]:
    """A folder with a.png, b.png and c.png, and `t.csv` of the rows given."""

    def build(*rows: Sequence[object]) -> Path:
        make.touch(tmp_path, "a.png", "b.png", "c.png")
        make.table(tmp_path / "t.csv", *rows)
        return tmp_path

    return build


def test_finds_what_the_columns_mean(example: Callable[[str], Path]) -> None:
    root = example("table")
    second, first, third = table.entries(root)
    assert first.source == Source(str(root), ("images/a.png",))
    assert (first.patient, first.known, first.part) == ("p1", "given", "test")
    assert first.labels == (Label("class", "Diagnosis", "malignant"),)
    assert dict(first.columns) == {"sex": "M", "age": 1.5}
    assert dict(second.columns) == {"sex": "female", "age": 61.0}
    assert (third.patient, third.known, third.part, third.labels) == (None, "unknown", None, ())
    assert "Smith" not in repr([first, second, third])


def test_the_suffix_and_the_folder_of_the_files_are_found(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    make.touch(tmp_path, "train_images/x1.dcm", "train_images/x2.dcm", "other/readme")
    make.table(tmp_path / "train.csv", ("id_code", "diagnosis"), ("x2", 0), ("x1", 4))
    found = detect(Table(tmp_path / "train.csv"))
    assert found is not None
    assert (found.path, found.folder, found.suffix) == ("id_code", "train_images", ".dcm")
    assert [e.source.paths for e in table.entries(tmp_path)] == [
        ("train_images/x2.dcm",),
        ("train_images/x1.dcm",),
    ]


def test_columns_of_zeros_and_ones_are_findings(write: Callable[..., Path]) -> None:
    root = write(("file", "edema", "mass"), ("a.png", 1, 0), ("b.png", 0, 0), ("c.png", 0, 1))
    first, *_ = table.entries(root)
    assert first.labels == (Label("value", "edema", value=1), Label("value", "mass", value=0))


def test_one_column_of_zeros_and_ones_is_the_class(write: Callable[..., Path]) -> None:
    root = write(("file", "sick", "note"), ("a.png", 1, "x"), ("b.png", 0, "y"))
    assert [e.labels for e in table.entries(root)] == [
        (Label("class", "sick", "1"),),
        (Label("class", "sick", "0"),),
    ]


def test_a_column_named_as_a_measurement_holds_numbers(write: Callable[..., Path]) -> None:
    header = ("image", "Bone Age", "phone")
    root = write(header, ("a.png", 127.5, 555), ("b.png", "", 556), ("c.png", 41, 557))
    labels = [entry.labels for entry in table.entries(root)]
    assert labels == [(Label("value", "Bone Age", value=127.5),), (), (labels[2][0],)]
    assert labels[2][0].value == 41


def test_a_measurement_with_words_or_of_zeros_and_ones_is_none(write: Callable[..., Path]) -> None:
    root = write(("image", "score"), ("a.png", "high"), ("b.png", 2), ("c.png", 3))
    assert [entry.labels for entry in table.entries(root)] == [(), (), ()]
    root = write(("image", "score"), ("a.png", 1), ("b.png", 0), ("c.png", 1))
    assert next(table.entries(root)).labels == (Label("class", "score", "1"),)


def test_rows_with_boxes_may_repeat_an_image(write: Callable[..., Path]) -> None:
    root = write(
        ("image", "x_min", "y_min", "x_max", "y_max", "class_name", "rad_id"),
        ("b.png", 1, 2, 5, 9, "nodule", "R1"),
        ("a.png", "", "", "", "", "no finding", "R1"),
        ("b.png", 3, 3, 4, 4, "mass", "R2"),
    )
    boxed, empty = table.entries(root)
    assert boxed.labels == (
        Label("box", "class_name", "nodule", box=(1, 2, 5, 9), reader="R1"),
        Label("box", "class_name", "mass", box=(3, 3, 4, 4), reader="R2"),
    )
    assert empty.labels == (Label("class", "class_name", "no finding", reader="R1"),)


def test_widths_become_corners_and_masks_are_sources(write: Callable[..., Path]) -> None:
    root = write(("image", "x", "y", "w", "h", "mask"), ("a.png", 1, 2, 10, 20, "c.png"))
    (entry,) = table.entries(root)
    assert entry.labels == (
        Label("box", "box", "box", box=(1, 2, 11, 22)),
        Label("mask", "mask", mask=Source(str(root), ("c.png",))),
    )


def test_a_sidecar_or_an_argument_goes_before_what_is_found(write: Callable[..., Path]) -> None:
    root = write(("file", "label", "kind", "weight"), ("a.png", "x", "y", "2.5"))
    (root / "columns.yaml").write_text("label: kind\nvalues: [weight]\n", encoding="utf-8")
    (entry,) = table.entries(root)
    assert entry.labels == (Label("class", "kind", "y"), Label("value", "weight", value=2.5))
    (entry,) = table.entries(root, {"label": None, "values": []})
    assert entry.labels == ()


def test_a_number_in_a_sidecar_is_a_name(write: Callable[..., Path]) -> None:
    root = write(("file", "7"), ("a.png", "x"))
    (root / "2020").mkdir()
    (root / "a.png").rename(root / "2020" / "a.png")
    (root / "columns.yaml").write_text("folder: 2020\nlabel: 7\n", encoding="utf-8")
    (entry,) = table.entries(root)
    assert entry.source.paths == ("2020/a.png",)
    assert entry.labels == (Label("class", "7", "x"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label: [a, b]", "columns.yaml, label"),
        ("lable: kind", "unknown role 'lable'"),
        ("label: nothing", "no column 'nothing'"),
        ("- label", "not a list of roles"),
        ("{", "not a list of roles"),
        ("box: [a, b]", "columns.yaml, box"),
        ("folder: null", "columns.yaml, folder"),
        ("suffix: [.png]", "columns.yaml, suffix"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(
    text: str, message: str, write: Callable[..., Path]
) -> None:
    root = write(("file", "kind"), ("a.png", "x"))
    (root / "columns.yaml").write_text(text, encoding="utf-8")
    assert layouts.recognise(root) == "table"
    with pytest.raises(InputError, match=message):
        list(table.entries(root))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("file", "label"), ("a.png", 1), ("a.png", 1)], "row 3: the file of row 2 again"),
        ([("file", "label"), ("a.png", 1), ("", 1)], "row 3: file is empty"),
        ([("file", "split"), ("a.png", "tarin")], "row 2: split is 'tarin'"),
        ([("file", "age"), ("a.png", "old")], "row 2: age is 'old'"),
        ([("file", "x", "y", "w", "h"), ("a.png", 1, 1, 0, 5)], "row 2: not a box"),
        ([("file", "x", "y", "w", "h"), ("a.png", 1, 1, "", 5)], "row 2: not a box"),
        ([("file", "x", "y", "w", "h"), ("a.png", 1, 1, "a", 5)], "row 2: w is 'a'"),
        (
            [("file", "x", "y", "w", "h", "label"), ("a.png", "", "", "", "", "p"),
             ("a.png", "", "", "", "", "q")],
            "row 3: another class",
        ),
        ([("file", "mask"), ("a.png", "../../secret.png")], "row 2 names a file outside"),
        ([("file", "label"), ("a.png", 1), ("b.png", 1), ("../b.png", 1)], "outside"),
        ([("file", "label"), ("a.png", 1), ("b.png", 1), ("/c.png", 1)], "row 4 names a"),
        ([("file", "file"), ("a.png", "b.png")], "two columns are named 'file'"),
        ([("file", "label"), ("a.png",)], "row 2: 1 cells"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(
    rows: list[Sequence[object]], message: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(InputError) as caught:
        list(table.entries(write(*rows) / "t.csv"))
    assert message in caught.value.problem


def test_a_file_that_is_missing_is_listed_all_the_same(write: Callable[..., Path]) -> None:
    root = write(("file", "label"), ("a.png", 1), ("b.png", 0), ("gone.png", 1))
    assert [e.source.file.exists() for e in table.entries(root)] == [True, True, False]


def test_several_tables_and_none_are_refused(
    write: Callable[..., Path], make: SimpleNamespace
) -> None:
    root = write(("file", "label"), ("a.png", 1))
    make.table(root / "u.csv", ("file", "label"), ("b.png", 1))
    with pytest.raises(InputError, match=r"2 tables name images: t\.csv, u\.csv"):
        list(table.entries(root))
    assert len(list(table.entries(root / "u.csv"))) == 1
    with pytest.raises(InputError, match="no column names image files"):
        list(table.entries(make_foreign(root, make)))


def make_foreign(root: Path, make: SimpleNamespace) -> Path:
    """A table that names no files."""
    make.table(root / "v.csv", ("name", "score"), ("x", 1))
    return root / "v.csv"


def test_other_tables_in_a_folder_of_images_are_let_be(write: Callable[..., Path]) -> None:
    root = write(("score", "note"), (1, "x"))
    (root / "odd.csv").write_bytes(b"\xff\xfe\x00")
    (root / "broken.xlsx").write_bytes(b"x")
    assert layouts.recognise(root) == "files"


def test_a_path_column_that_is_given_is_believed(write: Callable[..., Path]) -> None:
    root = write(("a", "label"), ("x/1.png", 1))
    (entry,) = table.entries(root / "t.csv", {"path": "a"})
    assert entry.source.paths == ("x/1.png",)


@pytest.mark.parametrize("suffix", [".tsv", ".parquet", ".xlsx", ";"])
def test_other_kinds_of_tables(suffix: str, tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "a.png", "b.png")
    rows = [("label", "file", "age"), ("p", "a.png", "40"), ("q", "b.png", "")]
    path = tmp_path / f"t{suffix if suffix != ';' else '.csv'}"
    if suffix == ".parquet":
        pl.DataFrame(rows[1:], schema=list(rows[0]), orient="row").write_parquet(path)
    elif suffix == ".xlsx":
        make.sheet(path, rows)
    else:
        separator = ";" if suffix == ";" else "\t"
        # A byte order mark, as Excel writes it, is no part of the first column's name.
        lines = "\r\n".join(separator.join(row) for row in rows)
        path.write_text(f"\ufeff{lines}\r\n", encoding="utf-8")
    entries = list(table.entries(path))
    assert [(e.name, e.labels[0].label, e.columns["age"]) for e in entries] == [
        ("a.png", "p", 40.0),
        ("b.png", "q", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the table is empty"),
        ("t.csv", b"file,label\n\xff.png,1\n", "not UTF-8"),
        ("t.xlsx", b"x", "cannot be read"),
        ("t.parquet", b"x", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_read(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert layouts.recognise(tmp_path / name) == "table"
    with pytest.raises(InputError, match=message):
        list(table.entries(tmp_path / name))


@given(st.text(alphabet="ab./\\ :", max_size=12))
def test_no_path_leads_out_of_its_folder(text: str) -> None:
    root = Path("/data/set")
    try:
        path = inside(root, text)
    except InputError:
        return
    assert (root / path).resolve().is_relative_to(root)


def test_absolute_paths_below_the_folder_are_kept(tmp_path: Path) -> None:
    assert inside(tmp_path, str(tmp_path / "x" / "a.png")) == "x/a.png"
    assert inside(tmp_path, "x\\a.png") == "x/a.png"
    for path in ("C:\\x.png", "/x.png", "a/../../x.png", "\\\\host\\x.png", "a\0.png"):
        with pytest.raises(InputError, match="outside"):
            inside(tmp_path, path)


def test_facts_are_further_columns(write: Callable[..., Path]) -> None:
    """Numbers where they are, nothing where a cell says so, else the words."""
    rows = [
        ("file", "label", "bmi", "smoker", "notes"),
        ("a.png", "x", "23.5", "yes", "calls daily"),
        ("b.png", "y", "n/a", "no", ""),
        ("c.png", "x", "about 30", "?", ""),
    ]
    root = write(*rows)
    (root / "columns.yaml").write_text("facts: [bmi, smoker]\n")
    found = [dict(entry.columns) for entry in table.entries(root)]
    assert found == [
        {"bmi": 23.5, "smoker": "yes"},
        {"bmi": None, "smoker": "no"},
        {"bmi": "about 30", "smoker": None},
    ]
    (root / "columns.yaml").write_text("facts: [weight]\n")
    with pytest.raises(InputError, match="no column 'weight'"):
        list(table.entries(root))
