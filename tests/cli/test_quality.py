"""`hounsfield quality`: a row a volume, nobody named, what is bad told."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import Answer

from hounsfield import formats
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.mr.motion import Ghosting

Ask = Callable[..., Answer]


def scan(sigma: float) -> Image:
    y, x = np.meshgrid(np.linspace(-1.4, 1.4, 72), np.linspace(-1.4, 1.4, 64), indexing="ij")
    body = 500.0 * (np.hypot(x, y) < 0.8) + 200.0 * (np.hypot(x, y) < 0.5)
    rng = np.random.default_rng(0)
    shape = (1, 4, 72, 64)
    noisy = np.abs(body + rng.normal(0, sigma, shape) + 1j * rng.normal(0, sigma, shape))
    return Image(noisy.astype(np.float32), Patient(np.diag([2, 2, 5, 1.0])))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three volumes, one named after somebody; a constant one; a damaged one; a text."""
    root = tmp_path / "scans"
    root.mkdir()
    formats.write(scan(10), root / "001.nii.gz")
    formats.write(Ghosting(0.3)(scan(10)), root / "002.nii.gz")
    formats.write(scan(30), root / "mustermann.nii.gz")
    formats.write(Image(np.ones((1, 4, 8, 8), np.float32), Patient(np.eye(4))), root / "003.nii.gz")
    (root / "notes.txt").write_text("nothing")
    return root


def test_a_row_for_each_volume(folder: Path, ask: Ask, tmp_path: Path) -> None:
    answer = ask("quality", folder, "--csv", tmp_path / "out.csv")
    assert answer.code == 0, answer.said
    assert "mustermann" not in answer.said
    assert "image 3: the image has one value only" in answer.said
    assert "names hidden, as they may be somebody's: --phi shows them" in answer.said
    text = (tmp_path / "out.csv").read_text()
    assert "mustermann" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["name"] for row in rows] == ["001.nii.gz", "002.nii.gz", "003.nii.gz", "#4"]
    clean, ghosts, flat, noisy = rows
    assert float(clean["noise"]) == pytest.approx(10, rel=0.05)
    assert float(noisy["noise"]) == pytest.approx(30, rel=0.05)
    assert float(clean["snr"]) > 2.5 * float(noisy["snr"])
    assert float(ghosts["ghost"]) > 0.1 > float(clean["ghost"])
    assert ghosts["axis"] == "y"
    assert float(ghosts["entropy"]) > float(clean["entropy"])
    assert (clean["size"], clean["noise_from"]) == ("64×72×4", "air")
    assert flat["noise"] == ""
    assert flat["problem"]
    named = ask("quality", folder, "--phi").said
    assert "mustermann.nii.gz" in named
    assert "names hidden" not in named
    one = ask("quality", f"{folder}#4", "--csv", tmp_path / "one.csv").said
    assert "mustermann" not in one + (tmp_path / "one.csv").read_text()
    assert (tmp_path / "one.csv").read_text().splitlines()[1].startswith("4,#4,")
    assert "mustermann.nii.gz" in ask("quality", f"{folder}#4", "--phi").said
    ask("quality", folder, "--csv", tmp_path / "out.csv").refuses(2, "exists already")
    assert (tmp_path / "out.csv").read_text() == text


def test_what_cannot_be_read_is_told(folder: Path, ask: Ask) -> None:
    (folder / "004.nii.gz").write_bytes(b"")
    answer = ask("quality", folder)
    assert answer.code == 0
    assert "1 file or folder cannot be read: `hounsfield info" in answer.said


def test_one_file_and_nothing(folder: Path, ask: Ask, tmp_path: Path) -> None:
    answer = ask("quality", folder / "001.nii.gz")
    assert answer.code == 0
    assert "001.nii.gz" in answer.said
    assert " air " in answer.said
    ask("quality", tmp_path / "nowhere").refuses(3, "no such file")
    (tmp_path / "empty").mkdir()
    ask("quality", tmp_path / "empty").refuses(3, "holds no image")
