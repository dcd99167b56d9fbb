"""The cache: right, never stale, whole or not at all, the same whoever builds it."""

from __future__ import annotations

import ast
import errno
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import hounsfield
from hounsfield import formats
from hounsfield.errors import InputError, StorageError
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.preprocessing import making
from hounsfield.preprocessing.cache import Built, Cache, Item
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.packs import Pack, PackWriter
from hounsfield.preprocessing.prepare import prepare, prepare_mask
from hounsfield.preprocessing.statistics import Moments

SMALL = Preprocessing(size=(32, 32))
LARGE = Preprocessing(size=(96, 80))  # beyond what is stored without compression


def picture(seed: int, shape: tuple[int, int] = (90, 70)) -> np.ndarray:
    """Twelve bits, brighter at its left and its top."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(seed).normal(0, 30, shape)
    return np.clip(3000 - 10 * x - 15 * y + noise, 0, 4095).astype(np.uint16)


def saved(folder: Path, count: int) -> list[Item]:
    items = []
    for seed in range(count):
        path = folder / f"{seed}.npy"
        np.save(path, picture(seed))
        items.append(Item(f"case{seed}", "", (Source.of(path),)))
    return items


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    return saved(tmp_path, 7)


def build(
    items: Sequence[Item], folder: Path, how: Preprocessing = SMALL, workers: int = 1
) -> Built:
    return Cache.build(items, how, folder / "cache", workers=workers)


def packs(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.pack"))}


def read_counter(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """The sources read from here on."""
    seen: list[Source] = []
    read = formats.read

    def counted(source: Source) -> Image:
        seen.append(source)
        return read(source)

    monkeypatch.setattr(formats, "read", counted)
    return seen


@pytest.mark.parametrize("how", [SMALL, LARGE, LARGE.model_copy(update={"fit": "stretch"})])
def test_images_come_back_as_prepared(
    items: list[Item], tmp_path: Path, how: Preprocessing
) -> None:
    cache = build(items, tmp_path, how).cache
    keys = [item.key for item in reversed(items)]
    images = cache.images(keys)
    assert images.shape == (7, 1, 1, *how.size)
    assert images.dtype == np.float32
    for key, ours in zip(keys, images, strict=True):
        original = Image.from_numpy(picture(int(key[4:])))
        expected = prepare(original, how)
        assert np.abs(ours - expected.array).max() <= 1.001 / (2 * 4095)
        again = cache.prepared(key)
        assert np.array_equal(again.original_from_prepared, expected.original_from_prepared)
        assert (again.original, again.summary) == (expected.original, expected.summary)
        assert cache.summary(key) == expected.summary


def test_eight_bit_pictures_come_back_exactly(tmp_path: Path) -> None:
    array = (picture(0, (28, 28)) >> 4).astype(np.uint8)
    np.save(tmp_path / "a.npy", array)
    how = Preprocessing(size=(28, 28), clip="none")
    cache = build([Item("a", "", (Source.of(tmp_path / "a.npy"),))], tmp_path, how).cache
    assert np.array_equal(cache.images(["a"])[0, 0, 0], array / np.float32(255))


def test_moments_are_those_of_the_images(items: list[Item], tmp_path: Path) -> None:
    cache = build(items, tmp_path, LARGE).cache
    keys = [item.key for item in items[:5]]
    ours = cache.moments(keys)
    values = cache.images(keys).astype(np.float64)
    assert ours.count == values.size
    assert abs(ours.mean[0] - values.mean()) < 1e-9
    assert abs(ours.std[0] - values.std()) < 1e-9
    two, three = cache.moments(keys[:2]), cache.moments(keys[2:])
    counts = np.array([two.count, three.count])
    squares = np.stack([two.squares, three.squares])
    parts = Moments.pooled(counts, np.stack([two.mean, three.mean]), squares)
    assert abs(parts.std[0] - ours.std[0]) < 1e-12
    assert isinstance(ours, Moments)


def test_masks_lie_on_the_images_grid(items: list[Item], tmp_path: Path) -> None:
    labels = np.zeros((90, 70), np.uint8)
    labels[10:50, 5:30] = 2
    np.save(tmp_path / "mask.npy", labels)
    with_mask = Item("m", "", items[0].inputs, Source.of(tmp_path / "mask.npy"))
    cache = build([with_mask, items[1]], tmp_path, LARGE).cache
    expected = prepare_mask(Image.from_numpy(labels), cache.prepared("m"))
    masks = cache.masks(["m", "case1"])
    assert np.array_equal(masks[0], expected)
    assert (masks[0] == 2).any()
    assert not masks[1].any()


def test_channels_of_a_case_are_stacked(items: list[Item], tmp_path: Path) -> None:
    pair = Item("pair", "", (*items[0].inputs, *items[1].inputs))
    cache = build([pair, *items], tmp_path).cache
    stacked = cache.images(["pair"])[0]
    assert stacked.shape == (2, 1, 32, 32)
    assert np.array_equal(stacked[1], cache.images(["case1"])[0, 0:1][0])
    assert cache.summary("pair", 1) == cache.summary("case1")
    with pytest.raises(InputError, match="one shape"):
        cache.images(["pair", "case0"])


def test_any_number_of_workers_writes_the_same_bytes(items: list[Item], tmp_path: Path) -> None:
    for workers in (1, 2, 5):
        Cache.build(items, LARGE, tmp_path / str(workers), workers=workers)
    one, two, five = (packs(tmp_path / str(workers)) for workers in (1, 2, 5))
    assert one == two == five
    assert len(one) == 1


def test_only_what_is_missing_is_read(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(items[:4], tmp_path)
    seen = read_counter(monkeypatch)
    cache = build(items, tmp_path).cache
    assert seen == [item.inputs[0] for item in items[4:]]
    build(items, tmp_path)
    assert len(seen) == 3
    assert len(cache) == 7
    assert len(cache.packs) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"size": (32, 40)},
        {"fit": "stretch"},
        {"colour": True},
        {"percentiles": (1.0, 99.0)},
        {"clip": "none"},
    ],
)
def test_other_pixels_never_come_from_the_old_settings(
    items: list[Item], tmp_path: Path, change: dict[str, object]
) -> None:
    build(items, tmp_path)
    other = Preprocessing(**{**SMALL.model_dump(), **change})
    fresh = Cache.build(items, other, tmp_path / "fresh", workers=1).cache
    ours = build(items, tmp_path, other).cache
    assert np.array_equal(ours.images(["case3"]), fresh.images(["case3"]))


def test_settings_that_change_no_pixel_reuse_it(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(items, tmp_path)
    seen = read_counter(monkeypatch)
    fitted = SMALL.model_copy(update={"mean": (0.4,), "std": (0.2,), "window": (40, 400)})
    build(items, tmp_path, fitted)
    build(items, tmp_path, fitted.model_copy(update={"normalise": "image"}))
    assert not seen


def test_other_content_is_another_entry(items: list[Item], tmp_path: Path) -> None:
    before = build(items, tmp_path).cache.images(["case0"])
    np.save(items[0].inputs[0].file, picture(99))
    after = build(items, tmp_path).cache.images(["case0"])
    assert not np.array_equal(before, after)
    hashed = [Item("a", "1f", items[1].inputs), Item("b", "2e", items[2].inputs)]
    cache = build(hashed, tmp_path).cache
    assert not np.array_equal(cache.images(["a"]), cache.images(["b"]))


def test_a_changed_mask_is_another_entry(items: list[Item], tmp_path: Path) -> None:
    place = tmp_path / "mask.npy"
    case = Item("m", "ab12", items[0].inputs, Source.of(place))
    for label in (1, 2):
        np.save(place, np.full((90, 70), label, np.uint8))
        assert build([case], tmp_path).cache.masks(["m"]).max() == label


def test_no_module_that_makes_pixels_is_forgotten() -> None:
    """All of ours that a module of the digest imports are in it too."""
    modules = making._modules()
    package = Path(hounsfield.__file__).parent
    # Words of errors, of progress, how files are found and put in place, and where memory is
    # from change no pixel.
    others = ("errors.py", "files.py", "folders.py", "memory.py", "progress.py")
    known = {*modules, *(package / name for name in others)}
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hounsfield"):
                parts = (node.module or "").split(".")[1:]
                for name in [None, *(alias.name for alias in node.names)]:
                    module = package.joinpath(*parts, *([name] if name else [])).with_suffix(".py")
                    assert module in known or not module.is_file(), f"{path.name} uses {module}"


def test_the_code_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = making.fingerprint(SMALL)
    monkeypatch.setattr(making, "_code", lambda: "another version")
    assert making.fingerprint(SMALL) != before


@pytest.mark.parametrize("damage", ["truncated", "empty", "trailer", "index", "pixels", "magic"])
def test_a_damaged_file_is_made_anew(items: list[Item], tmp_path: Path, damage: str) -> None:
    expected = build(items, tmp_path, LARGE).cache.images(["case0", "case6"])
    (path,) = tmp_path.rglob("*.pack")
    whole = path.read_bytes()
    flip_at = {"trailer": -40, "index": -60, "pixels": 5000, "magic": -3}.get(damage)
    if flip_at is None:
        path.write_bytes(whole[:-9] if damage == "truncated" else b"")
    else:
        spoilt = bytearray(whole)
        spoilt[flip_at] ^= 4
        path.write_bytes(spoilt)
    rebuilt = build(items, tmp_path, LARGE)
    assert not rebuilt.failed
    assert np.array_equal(rebuilt.cache.images(["case0", "case6"]), expected)
    assert path.read_bytes() == whole


def test_damage_after_the_building_is_an_error(items: list[Item], tmp_path: Path) -> None:
    build(items, tmp_path, LARGE)
    (path,) = tmp_path.rglob("*.pack")
    with path.open("r+b") as file:
        file.seek(300)
        file.write(b"xx")
    pack = Pack(path)
    with pytest.raises(StorageError, match="damaged"):
        pack.picture(0, np.empty((1, 1, 96, 80), np.float32))


def test_bad_files_are_set_aside(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no image at all")
    np.save(tmp_path / "small.npy", np.zeros((8, 8), np.uint8))
    bad = [
        Item("text", "", (Source.of(tmp_path / "text.npy"),)),
        Item("gone", "aa", (Source.of(tmp_path / "gone.npy"),)),
        Item("gone too", "", (Source.of(tmp_path / "gone.npy"),)),
        Item("mask", "", items[0].inputs, Source.of(tmp_path / "small.npy")),
        Item("mixed", "", (*items[0].inputs, Source.of(tmp_path / "small.npy"))),
    ]
    built = build([*bad[:2], *items, *bad[2:]], tmp_path, workers=2)
    assert set(built.failed) == {item.key for item in bad}
    assert len(built.cache) == 7
    assert "mask is" in built.failed["mask"]
    assert "differ in size" in built.failed["mixed"]
    assert not any(str(tmp_path) in reason for reason in built.failed.values())
    with pytest.raises(InputError, match="not in the preprocessing cache"):
        built.cache.images(["text"])


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_ours_reaches_the_user_as_itself(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    def broken(source: Source) -> Image:
        raise ZeroDivisionError("in the worker")

    monkeypatch.setattr(formats, "read", broken)
    with pytest.raises(ZeroDivisionError, match="in the worker"):
        build(items, tmp_path, workers=workers)
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_build_keeps_what_is_done(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache.build(items, SMALL, tmp_path / "cache", workers=1, progress=interrupted)
    assert not list(tmp_path.rglob("*.part"))
    seen = read_counter(monkeypatch)
    assert len(build(items, tmp_path).cache) == 7
    assert len(seen) == 3


def test_a_full_disk_says_how_much_is_missing(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = PackWriter.add

    def full(self: PackWriter, entry: object) -> None:
        if len(self.entries) == 3:
            self.drop()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(self, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(PackWriter, "add", full)
    with pytest.raises(StorageError, match=r"about [\d,]{4,} more bytes") as caught:
        build(items, tmp_path)
    assert caught.value.file == tmp_path / "cache"
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("*.pack"))
    monkeypatch.undo()
    assert len(build(items, tmp_path).cache) == 7


def test_a_folder_that_is_a_file_is_refused(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        build(items, tmp_path)


def test_two_may_build_at_once(items: list[Item], tmp_path: Path) -> None:
    built: list[Built] = []
    threads = [
        threading.Thread(target=lambda: built.append(build(items, tmp_path, LARGE)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, *others = (b.cache.images([item.key for item in items]) for b in built)
    assert len(others) == 2
    assert all(np.array_equal(first, other) for other in others)


KILLED = """
import os, sys
from pathlib import Path
from hounsfield.formats.contract import Source
from hounsfield.preprocessing import making
from hounsfield.preprocessing.cache import Cache, Item
from hounsfield.preprocessing.contract import Preprocessing
folder = Path(sys.argv[1])
items = [Item(f"case{i}", "", (Source.of(folder / f"{i}.npy"),)) for i in range(7)]
making.PACK_ITEMS = 3
def progress(done, total):
    if done == 5:
        os.kill(os.getpid(), 9)
Cache.build(items, Preprocessing(size=(32, 32)), folder / "cache", workers=1, progress=progress)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_killed_build_leaves_whole_packs_only(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    seen = read_counter(monkeypatch)
    assert len(build(items, tmp_path).cache) == 7
    assert len(seen) == 4  # three were in a whole pack


def test_a_cache_goes_to_another_process(items: list[Item], tmp_path: Path) -> None:
    cache = build(items, tmp_path, LARGE).cache
    sent = pickle.dumps(cache)
    assert len(sent) < 2000  # places, not pixels
    again: Cache = pickle.loads(sent)
    assert np.array_equal(again.images(["case2"]), cache.images(["case2"]))


def test_equal_content_is_stored_once(items: list[Item], tmp_path: Path) -> None:
    twin = Item("twin", "", items[0].inputs)
    cache = build([*items, twin], tmp_path).cache
    assert sum(len(pack.index) for pack in cache.packs) == 7
    assert np.array_equal(cache.images(["twin"]), cache.images(["case0"]))


def test_odd_values_are_remembered(tmp_path: Path) -> None:
    array = picture(0).astype(np.float32)
    array[0, :3] = np.nan
    np.save(tmp_path / "odd.npy", array)
    cache = build([Item("odd", "", (Source.of(tmp_path / "odd.npy"),))], tmp_path).cache
    assert cache.prepared("odd").summary.notes == ("3 values are not finite",)


def test_an_empty_list_is_an_empty_cache(tmp_path: Path) -> None:
    built = build([], tmp_path)
    assert len(built.cache) == 0
    with pytest.raises(InputError, match="at least one key"):
        built.cache.images([])
