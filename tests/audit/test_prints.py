"""Every image is read once; bad files are set aside; a damaged cache or audit does no harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hounsfield import formats
from hounsfield.audit import Audit, AuditSettings, audit
from hounsfield.audit import prints as prints_module
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on."""
    seen: list[str] = []
    true = formats.read

    def counted(source: formats.Source, **how: object) -> object:
        seen.append(source.file.name)
        return true(source, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(formats, "read", counted)
    return seen


def test_a_second_audit_reads_nothing(
    build: Callable, noise: Callable, tmp_path: Path, reads: list[str]
) -> None:
    catalog = build([noise(i) for i in range(5)])
    first = audit(catalog, cache=str(tmp_path / "cache"))
    assert sorted(reads) == [f"c{i}.png" for i in range(5)]
    reads.clear()
    assert audit(catalog, cache=tmp_path / "cache") == first
    assert reads == []


def test_only_what_is_new_is_read(
    build: Callable, noise: Callable, tmp_path: Path, reads: list[str]
) -> None:
    catalog = build([noise(i) for i in range(4)])
    audit(catalog.select(["c0", "c2"]), cache=tmp_path / "cache")
    reads.clear()
    audit(catalog, cache=tmp_path / "cache")
    assert sorted(reads) == ["c1.png", "c3.png"]


def test_looking_for_near_ones_later_reads_what_it_needs(
    build: Callable, noise: Callable, tmp_path: Path, reads: list[str]
) -> None:
    catalog = build([noise(1, 70, 80), noise(2, 70, 80)])
    audit(catalog, settings=AuditSettings(near="off"), cache=tmp_path / "cache")
    reads.clear()
    for _ in range(2):
        audit(catalog, cache=tmp_path / "cache")
    assert sorted(reads) == ["c0.png", "c1.png"]


def test_the_same_pictures_are_searched_once(
    build: Callable, noise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hounsfield.audit import near

    dark = (noise(1, 70, 80) * 0.9).astype("uint8")
    catalog = build([noise(1, 70, 80), noise(2, 70, 80), dark])
    first = audit(catalog, cache=tmp_path / "cache")
    assert [group.cases for group in first.near] == [("c0", "c2")]
    searched = []
    true = near.find
    monkeypatch.setattr(near, "find", lambda *a: searched.append(1) or true(*a))
    assert audit(catalog, cache=tmp_path / "cache") == first
    assert searched == []
    audit(catalog, settings=AuditSettings(correlation=0.9), cache=tmp_path / "cache")
    assert searched == [1]


def test_processes_find_what_threads_find(
    build: Callable, noise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = build([noise(1), noise(2), noise(1)])
    threads = audit(catalog, settings=AuditSettings(workers=2), cache=tmp_path / "a")
    monkeypatch.setattr(prints_module, "PROCESSES_FROM", 1)
    assert audit(catalog, settings=AuditSettings(workers=2), cache=tmp_path / "b") == threads
    assert threads.exact == (("c0", "c2"),)


def test_a_bad_file_is_set_aside_and_read_again_when_mended(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    catalog: Catalog = build([noise(1), noise(2), noise(1)])
    good = (tmp_path / "c2.png").read_bytes()
    (tmp_path / "c2.png").write_bytes(good[:60])
    (tmp_path / "c1.png").unlink()
    found = audit(catalog, cache=tmp_path / "cache")
    (finding,) = [f for f in found.findings if f.kind == "unreadable"]
    assert finding.groups == (("c1", "c2"),)
    assert str(tmp_path) not in finding.text
    (tmp_path / "c2.png").write_bytes(good)
    assert audit(catalog, cache=tmp_path / "cache").exact == (("c0", "c2"),)


def test_a_damaged_cache_is_made_again(build: Callable, noise: Callable, tmp_path: Path) -> None:
    catalog = build([noise(1), noise(1)])
    first = audit(catalog, cache=tmp_path / "cache")
    for part in (tmp_path / "cache").glob("*.parquet"):
        part.write_bytes(b"nothing of the kind")
    assert audit(catalog, cache=tmp_path / "cache") == first


@pytest.mark.parametrize(
    ("text", "problem"),
    [(None, "no audit"), ("{", "damaged"), ('{"version": 99}', "version 99"), ("{}x", "damaged")],
)
def test_an_audit_that_cannot_be_read_says_why(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    if text is not None:
        (tmp_path / "audit.json").write_text(text)
    with pytest.raises(InputError, match=problem):
        Audit.load(tmp_path)
