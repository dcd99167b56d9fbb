"""`hounsfield n4`: files in, files out, nothing replaced unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import Answer
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.geometry import Patient
from hounsfield.image import Image

Ask = Callable[..., Answer]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in (8, 24, 28)), indexing="ij")
    body = 800.0 * (x**2 + y**2 + z**2 < 0.8) * np.exp(0.5 * x)
    path = tmp_path / "scan.nii.gz"
    formats.write(Image(body[None].astype(np.float32), Patient(np.diag([2, 2, -5, 1.0]))), path)
    return path


def test_a_volume_is_corrected_and_drawn(scan: Path, ask: Ask, tmp_path: Path) -> None:
    out, drawn = tmp_path / "out.nii.gz", tmp_path / "out.png"
    quick = ("--shrink", 2, "--levels", 2, "--iterations", 20)
    answer = ask("n4", scan, out, *quick, "--figure", drawn)
    assert answer.code == 0, answer.said
    assert "coefficient of variation: 0." in answer.said
    before, after = formats.read(scan), formats.read(out)
    assert np.array_equal(before.geometry.affine, after.geometry.affine)
    body = before.array > 0
    variations = [one.array[body].std() / one.array[body].mean() for one in (before, after)]
    assert variations[1] < variations[0] / 2
    with Picture.open(drawn) as picture:
        assert picture.width > 1000
    ask("n4", scan, out).refuses(2, "exists already", "--overwrite")
    ask("n4", scan, tmp_path / "new.nii.gz", "--figure", drawn).refuses(2, "exists already")
    assert not (tmp_path / "new.nii.gz").exists()


def test_a_mask_of_another_grid_is_refused(scan: Path, ask: Ask, tmp_path: Path) -> None:
    mask, out = tmp_path / "mask.nii.gz", tmp_path / "out.nii.gz"
    formats.write(Image(np.ones((1, 8, 24, 28), np.uint8), Patient(np.eye(4))), mask)
    ask("n4", scan, out, "--mask", mask).refuses(
        3, r"scan\.nii\.gz: the mask does not lie on the image's grid", "mm apart"
    )
    ask("n4", scan, out, "--shrink", 0).refuses(3, "shrink factor of 0")
    ask("n4", scan, tmp_path / "out.xyz").refuses(2, "no format is written")
    for suffix in (".png", ".tif"):
        ask("n4", scan, tmp_path / f"out{suffix}").refuses(2, f"{suffix} does not hold a volume")
    assert not out.exists()


def test_a_field_that_helps_nothing_is_told(
    scan: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hounsfield.preprocessing.mr import bias_field

    out = tmp_path / "out.nii.gz"
    ask("n4", scan, out, "--shrink", 1000).refuses(3, "shrink factor of 1000", "at most 4")
    assert not out.exists()
    assert "more even" not in ask("n4", scan, out, "--levels", 1).said
    monkeypatch.setattr(bias_field, "_field", lambda channel, *_: 1 + channel / 2000)
    found = iter((0.3, 0.31))
    monkeypatch.setattr(bias_field, "variation", lambda _: next(found))
    said = ask("n4", scan, out, "--overwrite").said
    assert "0.3000 -> 0.3100" in said
    assert "Note: the field did not make the tissue more even" in said
