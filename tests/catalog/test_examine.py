"""What files say: each file's bytes are hashed once, however many of its members are listed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hounsfield import formats
from hounsfield.catalog import examine
from hounsfield.catalog.link import WHERE
from hounsfield.formats.contract import Header, Source


def todo(sources: list[Source]) -> pl.DataFrame:
    rows = [
        (row, one.root, list(one.paths), one.member, one.frames and list(one.frames), 0, 0)
        for row, one in enumerate(sources)
    ]
    types = {"root": pl.String, "paths": pl.List(pl.String), "member": pl.String}
    schema = {"row": pl.UInt32, **types, "frames": pl.List(pl.Int64), "size": pl.Int64}
    assert {*schema, "changed"} == {"row", *WHERE}
    return pl.DataFrame(rows, {**schema, "changed": pl.Int64}, orient="row")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was hashed. Its header says nothing of note."""
    count: Counter[str] = Counter()
    before = examine.Digests._hashed

    def counting(self: examine.Digests, files: tuple[Path, ...]) -> bytes:
        count[files[0].name] += 1
        return before(self, files)

    said = Header("toy", (1, 1, 2, 2), np.dtype(np.uint8))
    monkeypatch.setattr(formats, "header", lambda source: said)
    monkeypatch.setattr(examine.Digests, "_hashed", counting)
    return count


@pytest.mark.parametrize("workers", [0, 4])
def test_a_long_video_is_hashed_once(hashed: Counter[str], tmp_path: Path, workers: int) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a film" * 1000)
    (tmp_path / "b.mp4").write_bytes(b"another" * 1000)
    sources = [
        Source(str(tmp_path), (f"{'ab'[n % 2]}.mp4",), f"frame/{n}", (n, n + 1)) for n in range(300)
    ]
    found = pl.concat(examine.examine(todo(sources), workers)).sort("row")
    assert hashed == {"a.mp4": 1, "b.mp4": 1}
    assert found["hash"].n_unique() == 300
    assert found["reason"].null_count() == 300


def test_a_file_that_changed_is_hashed_anew(hashed: Counter[str], tmp_path: Path) -> None:
    digests, source = examine.Digests(), Source(str(tmp_path), ("a.mp4",), "frame/1")
    (tmp_path / "a.mp4").write_bytes(b"before")
    first = digests.of(source)
    (tmp_path / "a.mp4").write_bytes(b"after it")
    assert digests.of(source) != first
    assert hashed["a.mp4"] == 2


def test_few_hashes_are_kept(hashed: Counter[str], tmp_path: Path) -> None:
    digests = examine.Digests()
    for number in range(3 * examine.KEPT):
        (tmp_path / f"{number}.mp4").write_bytes(b"x")
        digests.of(Source(str(tmp_path), (f"{number}.mp4",), "frame/0"))
    assert len(digests.kept) == examine.KEPT


def test_only_an_npz_has_stacks(tmp_path: Path) -> None:
    sources = [Source(str(tmp_path), ("a.mp4",), f"frame/{n}") for n in range(3)]
    sources += [Source(str(tmp_path), ("a.npz",), f"train_images/{n}") for n in range(3)]
    tasks = list(examine._tasks(todo(sources)))
    assert [(task.array, len(task.rows)) for task in tasks] == [(None, 3), ("train_images", 3)]
