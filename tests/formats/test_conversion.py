"""convert and info: what is kept, what is refused, what is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hounsfield import formats
from hounsfield.cli import main
from hounsfield.errors import FormatError, InputError, UsageError
from hounsfield.formats.conversion import Choices, convert
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image

STORED = np.arange(48, dtype=np.uint16).reshape(6, 8) * 85
RADIOGRAPH: dict[str, Any] = {
    "BitsStored": 12, "HighBit": 11, "ImagerPixelSpacing": [0.2, 0.1], "WindowCenter": 2000,
    "WindowWidth": 2001, "PatientID": "planted id", "PatientName": "Planted^Name",
}  # fmt: skip


def test_a_radiograph_to_png_of_its_own_bits(make_dicom: Any, tmp_path: Path) -> None:
    notes = convert(make_dicom(STORED, **RADIOGRAPH), tmp_path / "x.png", Choices())
    np.testing.assert_array_equal(formats.read(tmp_path / "x.png").array[0, 0], STORED)
    assert "0.1 × 0.2 mm" in notes[0]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_radiograph_to_a_windowed_png(make_dicom: Any, tmp_path: Path, bits: int) -> None:
    convert(make_dicom(STORED, **RADIOGRAPH), tmp_path / "x.png", Choices(voi=True, bits=bits))
    values = formats.read(tmp_path / "x.png").array[0, 0]
    top = 2**bits - 1
    expected = np.clip((STORED - 999.5) / 2000, 0, 1) * top
    np.testing.assert_allclose(values, expected, atol=0.51)
    assert values.dtype == (np.uint8 if bits == 8 else np.uint16)


def test_a_radiograph_to_nifti_keeps_its_pixel_size(make_dicom: Any, tmp_path: Path) -> None:
    assert convert(make_dicom(STORED, **RADIOGRAPH), tmp_path / "x.nii.gz", Choices()) == []
    assert formats.header(tmp_path / "x.nii.gz").geometry == Plane((0.1, 0.2), "detector")
    assert b"lanted" not in (tmp_path / "x.nii.gz").read_bytes()


def test_a_slice_of_a_volume(oblique: Image, tmp_path: Path) -> None:
    formats.write(oblique, tmp_path / "x.nii")
    with pytest.raises(FormatError, match="1×3 planes"):
        convert(tmp_path / "x.nii", tmp_path / "x.png", Choices(window=(0, 100)))
    convert(tmp_path / "x.nii", tmp_path / "one.nii", Choices(plane=2))
    one = formats.read(tmp_path / "one.nii")
    np.testing.assert_array_equal(one.array, oblique.array[:, 2:])
    assert isinstance(one.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(
        one.geometry.affine @ [1, 1, 0, 1], oblique.geometry.affine @ [1, 1, 2, 1], atol=1e-5
    )
    with pytest.raises(InputError, match="no plane 3"):
        convert(tmp_path / "x.nii", tmp_path / "y.nii", Choices(plane=3))


def test_no_silent_loss(tmp_path: Path) -> None:
    for values, why in ((np.full((2, 2), -5, np.int16), "negative"), (np.eye(2), "whole numbers")):
        formats.write(Image.from_numpy(values), tmp_path / "x.nii")
        with pytest.raises(FormatError, match=why) as caught:
            convert(tmp_path / "x.nii", tmp_path / "x.png", Choices())
        assert caught.value.file == tmp_path / "x.nii"
        assert "window" in (caught.value.remedy or "")
        assert not (tmp_path / "x.png").exists()


def test_nan_is_not_made_a_number(tmp_path: Path) -> None:
    formats.write(Image.from_numpy(np.array([[np.nan, 1.0]], np.float32)), tmp_path / "x.nii")
    with pytest.raises(FormatError, match="NaN"):
        convert(tmp_path / "x.nii", tmp_path / "x.png", Choices(window=(0, 1)))


def test_nothing_is_overwritten_unasked(make_dicom: Any, tmp_path: Path) -> None:
    path = make_dicom(STORED)
    (tmp_path / "x.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists"):
        convert(path, tmp_path / "x.png", Choices())
    assert (tmp_path / "x.png").read_bytes() == b"mine"
    convert(path, tmp_path / "x.png", Choices(overwrite=True))
    np.testing.assert_array_equal(formats.read(tmp_path / "x.png").array[0, 0], STORED)


@pytest.fixture
def folder(make_dicom: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    make_dicom(STORED, **RADIOGRAPH).rename(folder / "deep/Planted_Name.dcm")
    formats.write(Image.from_numpy(np.ones((4, 4), np.uint8)), folder / "a.png")
    formats.write(Image.from_numpy(np.ones((4, 4), np.uint8)), folder / "a.tif")
    np.savez(folder / "set.npz", v_images=np.ones((2, 4, 4), np.uint8), v_labels=[0, 1])
    (folder / "1.2.840.5").write_text("no image")
    (folder / "Planted Name.txt").write_text("no image")
    return folder


def test_a_folder_keeps_its_tree(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(folder), str(out)]) == 0
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.nii.gz"))
    assert written == [
        "a-2.nii.gz", "a.nii.gz", "deep/Planted_Name.nii.gz",
        "set/v_images-0.nii.gz", "set/v_images-1.nii.gz",
    ]  # fmt: skip
    told = capsys.readouterr().out
    assert "5 images written" in told
    assert "No image (2×): the content is of no known image format: 1.2.840.5, …" in told
    assert "lanted" not in told
    assert main(["convert", str(folder), str(out)]) == 0  # what was done is not done again
    assert "5 images there already" in capsys.readouterr().out


def test_info_of_a_file(make_dicom: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_dicom(STORED, **RADIOGRAPH)
    assert main(["info", str(path), "--values"]) == 0
    told = capsys.readouterr().out
    for word in ("dicom", "CR", "8 × 6", "0.1 × 0.2 mm", "at the detector", "0 to 3995"):
        assert word in told
    assert "lanted" not in told
    assert main(["info", str(path), "--phi"]) == 0
    assert "planted id" in capsys.readouterr().out


def test_info_of_a_folder_names_nobody(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Planted Name.png").write_bytes(b"\x89PNG\r\n\x1a\nthen nothing")
    assert main(["info", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "dicom CR" in told
    assert "2  no images" in told
    assert "layout files: Any images" in told
    assert "lanted" not in told
    assert main(["info", str(folder), "--phi"]) == 0
    assert "Planted Name.png" in capsys.readouterr().out


def test_info_follows_the_links_that_training_follows(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all/linked").symlink_to(folder)
    (tmp_path / "all/loop").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    assert main(["info", str(tmp_path / "all")]) == 0
    assert len(re.findall(r"^\d  png ", capsys.readouterr().out, re.MULTILINE)) == 1


def test_info_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    formats.write(Image.from_numpy(np.ones((4, 4), np.uint8)), tmp_path / "images/a.png")
    table = tmp_path / "table.csv"
    table.write_text("image,subject,diagnosis,x,y,w,h,note\na,p1,ill,1,2,3,4,none\n")
    assert main(["info", str(table)]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "format table",
        "rows 1",
        "image files column image (images … .png)",
        "patient column subject",
        "label column diagnosis",
        "size columns x, y, w, h",
        f"`hounsfield train {table}` and `hounsfield index {table}` read it",
    ]
    assert main(["info", str(tmp_path)]) == 0
    assert "layout table: A table with a column of image files" in capsys.readouterr().out
    table.write_text("name,diagnosis\na,ill\n")
    assert main(["info", str(table)]) == 0
    assert "no column names files that are there" in capsys.readouterr().out


def test_info_of_many_images_and_of_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "set.npz"
    assert main(["info", str(path)]) == 0
    assert "v_images: 2 of 1×1×4×4 uint8" in capsys.readouterr().out
    assert main(["info", f"{path}#v_images/1"]) == 0
    assert "4 × 4" in capsys.readouterr().out
    assert main(["info", str(path), "--values"]) == 2


def test_info_of_what_is_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "nowhere")]) == 3
    assert main(["info", str(tmp_path)]) == 3
    (tmp_path / "empty").write_bytes(b"")
    assert main(["info", str(tmp_path / "empty")]) == 3
    told = capsys.readouterr().err
    assert "no such file" in told
    assert "no files" in told
    assert "0 bytes" in told


def test_a_gap_in_one_series_of_a_folder_stops_no_other(
    make_dicom: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two series in one folder, one with a gap; written into the folder above."""
    scans = tmp_path / "data" / "scans"
    scans.mkdir(parents=True)
    for series, along in ((3, (0, 2, 4, 8)), (5, (0, 2, 4))):
        for number, mm in enumerate(along):
            path = make_dicom(
                np.zeros((4, 5), np.int16), SeriesInstanceUID=f"1.2.{series}", SeriesNumber=series,
                InstanceNumber=number, PixelSpacing=[1, 1], ImagePositionPatient=[0, 0, mm],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            )  # fmt: skip
            path.rename(scans / f"{series}-{number}.dcm")
    assert main(["convert", str(scans), str(tmp_path / "data")]) == 3  # a script must notice
    said = capsys.readouterr()
    assert "1 image written" in said.out
    assert "NOT CONVERTED (1×): 1 slice is missing" in said.out
    assert "1 image could not be converted" in said.err
    assert (tmp_path / "data" / "series-5.nii.gz").is_file()
    assert main(["convert", str(scans), str(tmp_path / "data"), "--fill-gaps"]) == 0
    assert (tmp_path / "data" / "series-3.nii.gz").is_file()
    assert main(["convert", str(scans), str(scans)]) == 2
    assert "into itself" in capsys.readouterr().err


def slices(make_dicom: Any, folder: Path, steps: list[tuple[float, float]], **said: Any) -> Path:
    """A series in a folder; each slice lies at (y, z) mm."""
    folder.mkdir(exist_ok=True)
    for number, (y, z) in enumerate(steps):
        path = make_dicom(
            np.full((4, 5), number * 10, np.int16), SeriesInstanceUID="1.2.3", Modality="CT",
            InstanceNumber=number, PixelSpacing=[1, 1], ImagePositionPatient=[0, y, z],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], SliceThickness=2, RescaleSlope=1,
            RescaleIntercept=0, **said,
        )  # fmt: skip
        path.rename(folder / f"{number}.dcm")
    return folder


def test_leaning_slices_are_told_and_straightened(make_dicom: Any, tmp_path: Path) -> None:
    folder = slices(make_dicom, tmp_path / "ct", [(0, 0), (1, 2), (2, 4)])
    (note,) = convert(folder, tmp_path / "x.nii.gz", Choices())
    assert "lean by 26.6°" in note
    assert convert(folder, tmp_path / "y.nii.gz", Choices(straight=True)) == []
    axes = formats.header(tmp_path / "y.nii.gz").geometry.affine[:3, :3]  # type: ignore[union-attr]
    assert abs(axes[:, 1] @ axes[:, 2]) < 1e-5


def test_what_filling_did_is_said(make_dicom: Any, tmp_path: Path) -> None:
    even = slices(make_dicom, tmp_path / "even", [(0, 0), (0, 2), (0, 4)])
    assert convert(even, tmp_path / "a.nii.gz", Choices(fill_gaps=True)) == []
    gap = slices(make_dicom, tmp_path / "gap", [(0, 0), (0, 2), (0, 4), (0, 8)])
    torn = gap / "1.dcm"
    torn.write_bytes(torn.read_bytes()[:-4])
    first, second = convert(gap, tmp_path / "b.nii.gz", Choices(fill_gaps=True))
    assert first == "damaged slices at 2.00 mm were left out and interpolated"
    assert "3 places, unevenly apart" in second


def test_an_organs_window_wants_hounsfield_units(make_dicom: Any, tmp_path: Path) -> None:
    ct = slices(make_dicom, tmp_path / "ct", [(0, 0), (0, 2)])
    convert(ct, tmp_path / "x.png", Choices(organ="lung", plane=1))
    shown = formats.read(tmp_path / "x.png").array
    assert abs(int(shown[0, 0, 0, 0]) - round((10 + 1350) / 1500 * 255)) <= 1
    pet = slices(make_dicom, tmp_path / "pet", [(0, 0), (0, 2)], Units="BQML")
    with pytest.raises(FormatError, match="CT window for Bq/ml"):
        convert(pet, tmp_path / "y.png", Choices(organ="lung", plane=1))


def test_one_channel_and_one_plane(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    formats.write(Image(array, Patient(np.eye(4))), tmp_path / "x.nii.gz")
    convert(tmp_path / "x.nii.gz", tmp_path / "x.png", Choices(channel=1, plane=2))
    np.testing.assert_array_equal(formats.read(tmp_path / "x.png").array[0, 0], array[1, 2])
    with pytest.raises(InputError, match="no channel 2"):
        convert(tmp_path / "x.nii.gz", tmp_path / "y.png", Choices(channel=2))
    convert(tmp_path / "x.png", tmp_path / "z.png", Choices(plane=0))
    with pytest.raises(InputError, match="no plane 1"):
        convert(tmp_path / "x.png", tmp_path / "w.png", Choices(plane=1))


def test_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    formats.write(Image(np.zeros((1, 1, 2, 2), np.uint8)), tmp_path / "a.b.png")
    assert main(["convert", str(tmp_path / "a.b.png"), str(tmp_path / "out"), "--to", "tif"]) == 0
    assert (tmp_path / "out" / "a.b.tif").is_file()
    assert main(["convert", str(tmp_path / "a.b.png"), str(tmp_path / "x.dcm")]) == 2
    assert ".nii, .nii.gz" in capsys.readouterr().err


def test_a_second_picture_at_a_place_is_told(make_dicom: Any, tmp_path: Path) -> None:
    folder = slices(make_dicom, tmp_path / "ct", [(0, 0), (0, 2), (0, 2), (0, 4)])
    (note,) = convert(folder, tmp_path / "x.nii.gz", Choices(fill_gaps=True))
    assert note == "1 picture at a place that had one already: left out"
