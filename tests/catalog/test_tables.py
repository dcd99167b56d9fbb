"""The tables on disk: whole, of one snapshot, and the link for its owner alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from hounsfield.catalog import findings, link
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, LINK, Catalog, write_whole
from hounsfield.errors import InputError, StorageError


def catalog(count: int = 3) -> Catalog:
    names = [str(n) for n in range(count)]
    images = pl.DataFrame({"image": names}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in IMAGES.items() if name != "image"
    )
    inputs = [[{"channel": "image", "image": name}] for name in names]
    cases = pl.DataFrame({"case": names, "inputs": inputs}).with_columns(
        pl.lit(None, kind).alias(name)
        for name, kind in CASES.items()
        if name not in ("case", "inputs")
    )
    labels = pl.DataFrame({"case": names, "kind": ["class"] * count}).with_columns(
        pl.lit(None, kind).alias(name)
        for name, kind in ANNOTATIONS.items()
        if name not in ("case", "kind")
    )
    return Catalog(images.select(*IMAGES), cases.select(*CASES), labels.select(*ANNOTATIONS))


def test_a_catalog_comes_back(tmp_path: Path) -> None:
    whole = catalog()
    whole.save(tmp_path)
    back = Catalog.load(tmp_path)
    for name in ("images", "cases", "annotations"):
        assert getattr(back, name).equals(getattr(whole, name))
    assert back.folder == tmp_path
    few = back.select(["2", "0"])
    assert few.cases["case"].to_list() == few.images["image"].to_list() == ["0", "2"]
    assert few.annotations.height == 2


def test_tables_of_two_snapshots_are_refused(tmp_path: Path) -> None:
    catalog().save(tmp_path / "one")
    catalog(4).save(tmp_path / "two")
    shutil.copy(tmp_path / "two" / "cases.parquet", tmp_path / "one")
    with pytest.raises(InputError, match="do not belong together"):
        Catalog.load(tmp_path / "one")


def test_a_missing_or_foreign_table_is_named(tmp_path: Path) -> None:
    catalog().save(tmp_path)
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "cases.parquet")
    with pytest.raises(InputError, match="no column 'case'"):
        Catalog.load(tmp_path)
    (tmp_path / "cases.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match="cannot be read"):
        Catalog.load(tmp_path)
    (tmp_path / "cases.parquet").unlink()
    with pytest.raises(InputError, match="missing"):
        Catalog.load(tmp_path)
    with pytest.raises(InputError, match="link to its files is gone"):
        catalog().sources(["1"])


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "images.parquet"
    write_whole(pl.DataFrame({"x": [1]}), path)

    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))  # the kernel refuses longer files
    try:
        with pytest.raises(StorageError, match=r"the disk is full\n"):
            write_whole(pl.DataFrame({"x": range(1000)}), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert pl.read_parquet(path)["x"].to_list() == [1]
    assert list(tmp_path.iterdir()) == [path]


def linked(paths: list[str]) -> pl.DataFrame:
    rows = [{"image": p, "root": "/r", "paths": [p], "size": 1, "changed": 2} for p in paths]
    return pl.DataFrame(rows, schema=LINK)


def test_the_link_is_its_owners_alone_and_keeps_the_key(tmp_path: Path) -> None:
    link.put_aside(linked(["a"]), tmp_path)
    assert (tmp_path / link.PARTS / "000001.parquet").stat().st_mode & 0o777 == 0o600
    seen, key = link.load(tmp_path)
    assert seen["image"].to_list() == ["a"]
    assert key is None
    link.save(linked(["a", "b"]), b"k" * 16, tmp_path)
    assert (tmp_path / "link.parquet").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / link.PARTS).exists()
    seen, key = link.load(tmp_path)
    assert (seen.height, key) == (2, b"k" * 16)


def test_what_another_reader_read_is_read_again(tmp_path: Path, monkeypatch) -> None:
    link.save(linked(["a"]), b"k" * 16, tmp_path)
    monkeypatch.setattr(link, "READER", "another")
    seen, key = link.load(tmp_path)
    assert seen.is_empty()
    assert key == b"k" * 16


def test_a_torn_part_is_read_again(tmp_path: Path) -> None:
    link.put_aside(linked(["a"]), tmp_path)
    link.put_aside(linked(["b"]), tmp_path)
    (tmp_path / link.PARTS / "000001.parquet").write_bytes(b"torn")
    assert link.load(tmp_path)[0]["image"].to_list() == ["b"]


def test_findings_come_back(tmp_path: Path) -> None:
    assert findings.load(tmp_path) == ()
    said = (Finding(kind="x", severity="info", text="ä", groups=(("1", "2"),)),)
    findings.save(said, tmp_path)
    assert findings.load(tmp_path) == said
