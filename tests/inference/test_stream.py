"""Cases come in their order, a few ahead of who takes them, and as the cache has them."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.inference import stream as streaming
from hounsfield.inference.stream import Work, prepared_case, stream
from hounsfield.preprocessing.cache import Cache, Item
from hounsfield.preprocessing.settings import Preprocessing

SETTINGS = Preprocessing(size=(16, 12), percentiles=(1, 99))
SHAPE = (1, 1, 16, 12)


def files(folder: Path, count: int) -> list[Work]:
    rng = np.random.default_rng(3)
    for i in range(count):
        grey = rng.integers(0, 255, (20, 30 + i)).astype(np.uint8)
        Picture.fromarray(grey).save(folder / f"{i:03}.png")
    return [Work(f"c{i}", (Source.of(folder / f"{i:03}.png"),)) for i in range(count)]


def test_as_the_cache_has_them(tmp_path: Path) -> None:
    """To the last bit, whatever the number of threads."""
    work = files(tmp_path, 9)
    items = [Item(one.case, "", one.inputs) for one in work]
    cache = Cache.build(items, SETTINGS, tmp_path / "cache").cache
    for workers in (1, 3):
        found = list(stream(work, SETTINGS, SHAPE, workers=workers, ahead=4))
        assert [one.case for one in found] == [one.case for one in work]
        for one in found:
            assert one.prepared is not None
            assert np.array_equal(one.prepared.array, cache.images([one.case])[0])
            assert one.prepared.summary == cache.summary(one.case)


def test_bad_files_do_not_stop_the_others(tmp_path: Path) -> None:
    work = files(tmp_path, 6)
    whole = (tmp_path / "001.png").read_bytes()
    (tmp_path / "001.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "004.png").unlink()
    found = list(stream(work, SETTINGS, SHAPE, workers=2, ahead=3))
    assert [one.case for one in found if one.prepared is None] == ["c1", "c4"]
    assert "no such file" in found[4].problem
    assert str(tmp_path) not in found[1].problem + found[4].problem  # a path can name a patient


def test_another_shape_than_the_networks_is_told(tmp_path: Path) -> None:
    (found,) = stream(files(tmp_path, 1), SETTINGS, (3, 1, 16, 12), workers=1, ahead=1)
    assert found.prepared is None
    assert "it is (1, 1, 16, 12) (C, Z, Y, X) when prepared" in found.problem


def test_a_fault_of_ours_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(formats, "read", broken)
    with pytest.raises(ZeroDivisionError):
        list(stream(files(tmp_path, 2), SETTINGS, SHAPE, workers=1, ahead=1))


def test_reads_ahead_and_not_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes the first has `ahead` read meanwhile, and no more than that."""
    begun, real = threading.Semaphore(0), streaming._ready

    def counted(*given: object) -> object:
        begun.release()
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(streaming, "_ready", counted)
    cases = stream(files(tmp_path, 12), SETTINGS, SHAPE, workers=2, ahead=5)
    next(cases)
    for _ in range(5):
        assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=0.2)
    assert len(list(cases)) == 11


def test_large_cases_wait_in_smaller_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "WAITING", 2 * 4 * int(np.prod(SHAPE)))
    begun, real = [], streaming._ready
    monkeypatch.setattr(streaming, "_ready", lambda *a: begun.append(1) or real(*a))
    cases = stream(files(tmp_path, 8), SETTINGS, SHAPE, workers=1, ahead=100)
    next(cases)
    assert len(begun) <= 2
    cases.close()


def test_channels_of_several_files_are_stacked() -> None:
    """Each with its own limits; the second is darker."""
    rng = np.random.default_rng(1)
    pictures = [Image.from_numpy(rng.normal(m, 5, (20, 15)).astype(np.float32)) for m in (90, 20)]
    found = prepared_case(pictures, SETTINGS)
    assert found.array.shape == (2, 1, 16, 12)
    assert found.summary.median > 80
    for channel in found.array:
        assert 0.3 < np.median(channel[channel > 0]) < 0.7
