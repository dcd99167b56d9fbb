"""Resized, compressed, brightened and cropped copies are found; other people's pictures never."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

from hounsfield.audit import audit
from hounsfield.audit.hashing import small_picture
from hounsfield.audit.near import find
from hounsfield.audit.results import AuditSettings

Pixels = NDArray[np.uint8]


def resized(a: Pixels, factor: float) -> Pixels:
    size = (round(a.shape[1] * factor), round(a.shape[0] * factor))
    return np.asarray(Picture.fromarray(a).resize(size, Picture.Resampling.BICUBIC))


def compressed(a: Pixels, quality: int) -> Pixels:
    file = BytesIO()
    Picture.fromarray(a).save(file, "JPEG", quality=quality)
    return np.asarray(Picture.open(file))


def brightened(a: Pixels, gain: float, offset: float = 0.0) -> Pixels:
    return np.asarray(np.clip(np.rint(a * gain + offset * 255.0), 0, 255), np.uint8)


def cropped(a: Pixels, left: float, right: float, top: float, bottom: float) -> Pixels:
    h, w = a.shape
    return a[round(top * h) : h - round(bottom * h), round(left * w) : w - round(right * w)]


VERSIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "half": lambda a: resized(a, 0.5),
    "three-quarters": lambda a: resized(a, 0.75),
    "enlarged": lambda a: resized(a, 1.5),
    "jpeg-50": lambda a: compressed(a, 50),
    "jpeg-75": lambda a: compressed(a, 75),
    "brighter": lambda a: brightened(a, 1.0, 0.1),
    "darker": lambda a: brightened(a, 1.0, -0.1),
    "more-contrast": lambda a: brightened(a, 1.1),
    "less-contrast": lambda a: brightened(a, 0.9),
    "cropped-all-round": lambda a: cropped(a, 0.05, 0.05, 0.05, 0.05),
    "cropped-left": lambda a: cropped(a, 0.05, 0, 0, 0),
    "cropped-unevenly": lambda a: cropped(a, 0.01, 0.04, 0.05, 0.02),
    "all-at-once": lambda a: compressed(
        brightened(resized(cropped(a, 0.02, 0.03, 0.0, 0.04), 0.7), 0.95), 60
    ),
}


def smalls(pictures: list[Pixels]) -> Pixels:
    return np.stack([small_picture(a[None, None]) for a in pictures])


@pytest.fixture(scope="module")
def pairs(phantoms: Pixels) -> set[tuple[int, int]]:
    """What is found among all phantoms and one version of each: copy i of phantom i is 40 + i."""
    names = list(VERSIONS)
    copies = [VERSIONS[names[i % len(names)]](picture) for i, picture in enumerate(phantoms)]
    matches = find(smalls([*phantoms, *copies]), AuditSettings().correlation, 2)
    return {(match.first, match.second) for match in matches}


@pytest.mark.parametrize("name", VERSIONS)
def test_every_version_is_found(name: str, pairs: set[tuple[int, int]]) -> None:
    start, step = list(VERSIONS).index(name), len(VERSIONS)
    assert {(i, 40 + i) for i in range(start, 40, step)} <= pairs


def test_no_two_people_are_taken_for_one(pairs: set[tuple[int, int]]) -> None:
    assert pairs <= {(i, 40 + i) for i in range(40)}


def test_the_crop_is_told_by_scale_and_shift(phantoms: Pixels) -> None:
    # What is left of a crop of 4 % on the left spans u from -0.92 to 1: scale 0.96, shift 0.04.
    copy = cropped(phantoms[0], 0.04, 0, 0, 0)
    (match,) = find(smalls([copy, *phantoms[1:6], phantoms[0]]), 0.9, 1)
    assert (match.first, match.second) == (0, 6)
    assert match.pose == pytest.approx((0.96, 1.0, 0.04, 0.0), abs=0.01)
    (match,) = find(smalls([phantoms[0], *phantoms[1:6], copy]), 0.9, 1)
    assert match.pose == pytest.approx((1 / 0.96, 1.0, -0.04 / 0.96, 0.0), abs=0.01)


def test_another_picture_of_the_same_patient_is_no_copy() -> None:
    from hounsfield.catalog.phantoms.chest_case import draw_case
    from hounsfield.catalog.phantoms.chest_render import render
    from hounsfield.catalog.phantoms.chest_xray import Settings

    settings = Settings(patients=4, images_per_patient=3, size=512, seed=5)
    shots = [shot for i in range(4) for shot in draw_case(i, settings)[1]]
    pictures = [np.asarray(render(shot.exposure).pixels / 16, np.uint8) for shot in shots]
    assert find(smalls(pictures), AuditSettings().correlation, 2) == []


def test_a_mirrored_picture_is_no_copy(phantoms: Pixels) -> None:
    assert find(smalls([phantoms[0], phantoms[0][:, ::-1]]), 0.9, 1) == []


def test_the_audit_names_the_cases_and_shows_them(
    build: Callable, phantoms: Pixels, tmp_path: Path
) -> None:
    from hounsfield.audit.sheet import save

    copy = VERSIONS["all-at-once"](phantoms[1])
    catalog = build([phantoms[0], phantoms[1], copy, phantoms[1]])
    found = audit(catalog, cache=tmp_path / "cache")
    assert found.exact == (("c1", "c3"),)
    assert [group.cases for group in found.near] == [("c1", "c2", "c3")]
    assert found.duplicates == (("c1", "c3", "c2"),)
    (pair,) = found.near[0].pairs
    assert (pair.first, pair.second) == ("c1", "c2")
    assert pair.correlation > 0.94
    sheet = save(found, catalog, tmp_path)
    assert sheet is not None
    assert np.asarray(Picture.open(sheet).convert("L")).std() > 20


@pytest.mark.parametrize(("near", "kind"), [("auto", "near-unreliable"), ("off", "near-skipped")])
def test_tiny_pictures_are_not_judged(
    build: Callable, noise: Callable, tmp_path: Path, near: str, kind: str
) -> None:
    one = noise(1, 28, 28)
    catalog = build([one, brightened(one, 0.9)])
    found = audit(catalog, settings=AuditSettings.model_validate({"near": near}), cache=tmp_path)
    assert found.near == ()
    assert kind in {finding.kind for finding in found.findings}


def test_tiny_pictures_are_judged_when_asked(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    one = noise(1, 28, 28)
    catalog = build([one, brightened(one, 0.9), noise(2, 28, 28)])
    found = audit(catalog, settings=AuditSettings(near="on"), cache=tmp_path)
    assert [group.cases for group in found.near] == [("c0", "c1")]
