"""Damaged files of every format: each ends in an Image or in our error, within 1 GB.

`tests/long/fuzz_formats.py` tries 10,000 of each; these are the first of the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import Reader, Whole, tally, verdict
from mutants import KINDS, Mutant, mutant
from seeds import SEEDS

from hounsfield import formats

MUTANTS = 120


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close()


def test_every_format_has_a_seed() -> None:
    assert {seed.format for seed in SEEDS.values()} == set(formats.FORMATS)


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_is_of_its_format(name: str, tmp_path: Path) -> None:
    (source,) = formats.find(SEEDS[name].make(tmp_path))[:1]
    assert formats.header(source).format == SEEDS[name].format
    assert formats.read(source).array.size


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_end_in_an_image_or_our_error(name: str, reader: Reader) -> None:
    counts, defects = tally(reader.verdicts(name, 0, MUTANTS))
    assert not defects
    assert sum(counts.values()) == MUTANTS
    assert counts["refused"] > MUTANTS // 10


def test_the_same_number_is_the_same_damage(tmp_path: Path) -> None:
    whole = Whole.of("nii", tmp_path)
    for number in range(len(KINDS)):
        one, two = (mutant(whole.files, number, whole.voxels, [b"other"]) for _ in range(2))
        assert one == two
        assert (one.files != whole.files) or one.kind in ("swap", "splice", "repeat", "text")


def test_a_moved_image_is_seen(tmp_path: Path) -> None:
    """The judge judges: an affine that changes with the voxels alone is a defect."""
    whole = Whole.of("nii", tmp_path)
    assert whole.voxels
    data = bytearray(whole.files["x.nii"])
    data[292] ^= 64  # a number of the sform's first row
    moved = Mutant({"x.nii": bytes(data)}, "bits", only_voxels=True, checked=False)
    assert verdict(moved, whole, tmp_path).startswith("DEFECT: silently moved")
    told = Mutant({"x.nii": bytes(data)}, "bits", only_voxels=False, checked=False)
    assert verdict(told, whole, tmp_path) == "image"


def test_a_reader_that_dies_is_seen(reader: Reader) -> None:
    """The file it died on is a defect, and the next ones are read all the same."""
    told = reader.verdicts("npy", 0, 50_000)
    next(told)
    reader.process.kill()
    number, end = next(one for one in told if one[1].startswith("DEFECT"))
    assert end == "DEFECT: the process died (-9)"
    assert next(told)[0] == number + 1
    told.close()
