"""A catalog is written among nobody's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import class_folders, picture, tree

from hounsfield.catalog import builtin
from hounsfield.catalog.scan import IndexSettings, index
from hounsfield.errors import InputError

HERE = IndexSettings(workers=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "data", 6)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (("run.json", "data/images.parquet"), "a run is here"),
        (("run.json", "link.parquet"), "a run is here"),
        (("MUSTERMANN.png", "1.png", "2.png"), r"holds 3 other files or folders \(1.png, 2.png, …"),
        (("MUSTERMANN.png",), "holds 1 other file or folder\n"),
        (("digits.csv", "notes.txt"), "holds 1 other file or folder\n"),
    ],
)
def test_other_files_are_in_the_way(
    held: tuple[str, ...], said: str, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for name in held:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("{}")
    before = tree(out)
    with pytest.raises(InputError, match=said) as refused:
        index([data], out, HERE)
    assert "--out" in (refused.value.remedy or "")
    assert "MUSTERMANN" not in str(refused.value)
    assert tree(out) == before


def test_a_runs_own_tables_are_in_the_way(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text("{}")
    index([data], tmp_path / "made", HERE)
    (tmp_path / "made").rename(tmp_path / "run/data")
    (tmp_path / "run/data/link.parquet").unlink()
    with pytest.raises(InputError, match="a run is here"):
        index([data], tmp_path / "run/data", HERE)


@pytest.mark.parametrize(
    "held",
    [
        (),
        (".DS_Store",),
        ("digits.csv",),  # the built-in set, whose index was interrupted
        (".index/000001.parquet", "notes.txt"),
        ("request.json", "cache/pack"),
    ],
)
def test_an_empty_folder_and_the_beginning_of_a_catalog_are_not(
    held: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in held:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("{}")
    assert index([data], out, HERE).read == 6
    (out / "link.parquet").unlink()
    assert index([data], out, HERE).read == 6  # the remedy for a link that is gone


def test_built_in_data_is_not_written_among_other_files(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    with pytest.raises(InputError, match="this is no catalog"):
        builtin.materialise("digits", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]
