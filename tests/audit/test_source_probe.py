"""The probe: a mark at the border is found where it is, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.audit.source_probe import (
    SIDE,
    Lungs,
    Probed,
    border,
    lung_cells,
    probe_looks,
    probe_sources,
    shrunk,
)

MIDDLE = np.zeros((SIDE, SIDE), np.bool_)
MIDDLE[6:26, 4:28] = True
LUNGS = Lungs(MIDDLE, "by hand")


def probed(mark: float, where: tuple[slice, slice], cases: int = 160) -> Probed:
    """Two sources in each of two classes; a mark on one of them, and a sign of the class."""
    rng = np.random.default_rng(5)
    source = np.array(["east", "west"])[np.arange(cases) % 2]
    truth = np.array(["healthy", "ill"])[np.arange(cases) // 2 % 2]
    small = rng.normal(0, 1, (cases, SIDE, SIDE)).astype(np.float32)
    small[truth == "ill", 12:20, 8:14] += 2
    small[(source == "west")[:, None, None] & _at(where)] += mark
    return Probed(small, truth, source, np.arange(cases))


def _at(where: tuple[slice, slice]) -> np.ndarray:
    cells = np.zeros((1, SIDE, SIDE), np.bool_)
    cells[0][where] = True
    return cells


def test_a_mark_at_the_border_is_told_from_the_border_alone() -> None:
    found = probe_sources(probed(1.0, np.s_[0:3, 0:6]), LUNGS)
    assert [(p.class_name, p.look) for p in found] == [
        (name, look) for name in ("healthy", "ill") for look in ("whole", "lungs blanked", "border")
    ]
    assert all(p.sources == ("east", "west") and p.chance == 0.5 for p in found)
    assert all(p.told and p.auroc.value > 0.9 for p in found if p.look == "border")


def test_a_mark_within_the_lungs_is_told_from_whole_pictures_alone() -> None:
    found = probe_sources(probed(1.5, np.s_[10:16, 8:16]), LUNGS)
    told = {look: [p.told for p in found if p.look == look] for look in ("whole", "border")}
    assert told == {"whole": [True, True], "border": [False, False]}
    assert not any(p.told for p in found if p.look == "lungs blanked")


def test_sources_that_look_alike_are_not_told_although_classes_differ() -> None:
    found = probe_sources(probed(0.0, np.s_[0:1, 0:1]), LUNGS)
    assert not any(probe.told for probe in found)


CORNER = np.zeros((SIDE, SIDE), np.bool_)
CORNER[:4, :4] = True


def noise(seed: int, west: int, east: int) -> Probed:
    """A few patterns in any strength, as brightness and frames are; sources by chance."""
    rng = np.random.default_rng(seed)
    cases = west + east
    strengths, patterns = rng.normal(size=(cases, 3)), rng.normal(size=(3, SIDE * SIDE))
    small = (strengths @ patterns).reshape(-1, SIDE, SIDE).astype(np.float32)
    source = np.array(["west"] * west + ["east"] * east)
    return Probed(small, np.full(cases, "ill"), source, np.arange(cases))


@pytest.mark.parametrize(("west", "east"), [(24, 24), (12, 48)])
def test_of_noise_the_probe_says_one_half_and_rarely_more(west: int, east: int) -> None:
    found = [probe_looks(noise(s, west, east), {"": CORNER}, s)[0].auroc for s in range(25)]
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.03)
    assert sum(one.low > 0.5 for one in found) <= 2
    assert sum(one.high < 0.5 for one in found) <= 2


def test_patients_of_many_pictures_do_not_hide_what_is_told() -> None:
    """Folds hold the sources in other shares: a place counts both sources the same."""
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(40), rng.integers(1, 12, 40))
    source = np.where(group % 2, "west", "east")
    small = rng.normal(0, 1, (len(group), SIDE, SIDE)).astype(np.float32)
    small[source == "west"] += 1
    told = probe_looks(Probed(small, np.full(len(group), "ill"), source, group), {"": CORNER})
    assert told[0].auroc.value > 0.995


def test_copies_of_one_patient_do_not_help() -> None:
    """Each picture twice under one number: by picture it would be told, by patient it is not."""
    once = probed(0.0, np.s_[0:1, 0:1], 80)
    twice = [np.concatenate([part, part]) for part in (once.small, once.truth, once.source)]
    found = probe_sources(Probed(*twice, np.tile(once.group, 2)), LUNGS)
    assert not any(probe.told for probe in found)
    assert found[0].auroc.patients == 40


def test_all_classes_together_where_none_comes_from_two_sources() -> None:
    one = probed(1.0, np.s_[0:3, 0:6])
    found = probe_sources(Probed(one.small, one.source, one.source, one.group), LUNGS)
    assert [probe.class_name for probe in found] == [None] * 3


def test_too_few_patients_are_not_probed() -> None:
    assert probe_sources(probed(1.0, np.s_[0:3, 0:6], 30), LUNGS) == ()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 33)])
def test_shrinking_keeps_the_mean_of_each_cell(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.random((2, height, width), np.float32)
    small = shrunk(pictures, 8)
    rows, columns = (np.arange(9) * size // 8 for size in (height, width))
    for y, x in ((0, 0), (3, 5), (7, 7)):
        cell = pictures[1, rows[y] : rows[y + 1], columns[x] : columns[x + 1]]
        assert small[1, y, x] == pytest.approx(cell.mean(), rel=1e-5)


def test_lungs_are_blanked_where_masks_show_them_else_in_the_middle() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[20:40, 8:24] = True
    found = lung_cells([mask, np.zeros((64, 64), np.bool_)])
    expected = np.zeros((SIDE, SIDE), np.bool_)
    expected[10:20, 4:12] = True
    assert np.array_equal(found.cells, expected)
    assert "masks of 1 picture show" in found.how
    middle = lung_cells([])
    assert middle.cells[16, 16]
    assert not middle.cells[0, 0]
    assert border()[0, 5]
    assert not border()[16, 16]
