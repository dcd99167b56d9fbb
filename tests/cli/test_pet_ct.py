"""hounsfield pet-ct, as it is typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hounsfield import formats
from hounsfield.catalog.phantoms.pet_ct import Settings, make
from hounsfield.cli import main


def test_a_folder_becomes_one_file_with_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "data", Settings(patients=1, voxel=12, counts=0))
    target = tmp_path / "out.nii.gz"
    assert main(["pet-ct", str(tmp_path / "data"), str(target)]) == 0
    told = capsys.readouterr().out
    assert "one frame of reference" in told
    assert "PETCT_" not in told
    assert re.search(r"channel 1: SUV.*, g/mL\nchannel 2: CT, HU\n", told)
    assert formats.header(formats.find(target)[0]).shape[0] == 2
    assert main(["pet-ct", str(tmp_path / "data"), str(target)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_a_folder_without_pet_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["pet-ct", str(tmp_path / "empty"), str(tmp_path / "out.nii.gz")]) == 3
    assert "no PET" in capsys.readouterr().err
    assert main(["pet-ct", str(tmp_path / "gone"), str(tmp_path / "out.nii.gz")]) == 3
    assert "no such folder" in capsys.readouterr().err


def test_a_target_that_holds_no_volume_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("out.png", "out.tif"):
        assert main(["pet-ct", str(tmp_path / "gone"), str(tmp_path / name)]) == 2
        assert f"{name[3:]} does not hold a volume" in capsys.readouterr().err
