"""Slices in files of their own become one image of the catalog."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from hounsfield import formats
from hounsfield.catalog.scan import Indexed, index
from hounsfield.catalog.tables import Catalog


def write(path: Path, mm: float, **said: object) -> None:
    """A slice of 3×4 voxels at some mm."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = "1.2", "1.2.3", "planted id"
    data.Modality, data.Rows, data.Columns = "CT", 3, 4
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.PixelSpacing, data.SliceThickness = [0.8, 0.5], 2.0
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [-10.0, 5.0, mm]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = (np.arange(12, dtype="<i2") + int(mm)).tobytes()
    data["PixelData"].VR = "OW"
    for name, value in said.items():
        setattr(data, name, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two CTs of one patient, names that sort another way, and a table."""
    for k in range(4):
        write(tmp_path / "scans" / f"{(k * 3) % 4}.dcm", 2.0 * k)
        write(tmp_path / "scans" / f"second-{k}.dcm", 3.0 * k, SeriesInstanceUID="1.2.4")
    return tmp_path / "scans"


def rejected(out: Path) -> pl.DataFrame:
    return pl.read_csv(out / "rejected.csv")


def test_a_series_is_one_image(scans: Path, tmp_path: Path) -> None:
    made = index([scans], tmp_path / "out")
    images = made.catalog.images
    assert images["depth"].to_list() == [4, 4]
    assert sorted(images["spacing"].to_list()) == [[0.5, 0.8, 2.0], [0.5, 0.8, 3.0]]
    assert made.catalog.cases.height == 2
    for source in Catalog.load(tmp_path / "out").sources(images["image"].to_list()):
        array = formats.read(source).array
        assert (np.diff(array[0, :, 0, 0]) > 0).all()
    assert rejected(tmp_path / "out").is_empty()


def test_a_second_index_reads_nothing_and_says_the_same(scans: Path, tmp_path: Path) -> None:
    first = index([scans], tmp_path / "out")
    again = index([scans], tmp_path / "out")
    assert (first.read, again.read, again.unchanged) == (8, 0, 8)
    assert again.catalog.images.equals(first.catalog.images)


def test_a_slice_that_arrives_later_joins(scans: Path, tmp_path: Path) -> None:
    late = scans / "second-3.dcm"
    data = late.read_bytes()
    late.unlink()
    assert index([scans], tmp_path / "out").catalog.images["depth"].to_list() == [4, 3]
    late.write_bytes(data)
    again = index([scans], tmp_path / "out")
    assert (again.read, again.catalog.images["depth"].to_list()) == (1, [4, 4])


def test_a_missing_slice_sets_the_volume_aside(scans: Path, tmp_path: Path) -> None:
    (scans / "second-1.dcm").unlink()
    made = index([scans], tmp_path / "out")
    assert made.catalog.images.height == 1
    (reason,) = rejected(tmp_path / "out")["reason"]
    assert "1 slice is missing between 0.00 and 6.00 mm" in reason or "uneven" in reason


@pytest.mark.parametrize("cut", [20, 700])
def test_a_damaged_slice_is_never_just_left_out(scans: Path, tmp_path: Path, cut: int) -> None:
    """Of three slices, the middle one lost would double the spacing."""
    for k in (0, 3):
        (scans / f"{(k * 3) % 4}.dcm").unlink(missing_ok=True)
    for k in range(4):
        (scans / f"second-{k}.dcm").unlink()
    for k in range(3):
        write(scans / f"{k}.dcm", 2.0 * k)
    damaged = scans / "1.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-cut] if cut == 20 else damaged.read_bytes()[:-10])
    (tmp_path / "good").mkdir()
    write(tmp_path / "good" / "x.dcm", 0.0, SeriesInstanceUID="1.9")
    made: Indexed = index([scans, tmp_path / "good"], tmp_path / "out")
    assert made.catalog.images["depth"].to_list() == [1]
    assert rejected(tmp_path / "out").height == 2  # the file, and the volume that it belongs to


def test_slices_with_labels_of_their_own_stay_apart(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "set" / ("ill" if k % 2 else "well") / f"{k}.dcm", 2.0 * k)
    made = index([tmp_path / "set"], tmp_path / "out")
    assert made.catalog.images["depth"].to_list() == [2, 2]  # one of each class
    assert sorted(made.catalog.annotations["label"].to_list()) == ["ill", "well"]


def test_volumes_in_class_folders(tmp_path: Path) -> None:
    for k in range(3):
        for n, label in enumerate(("ill", "well")):
            for who in (1, 2):
                said = {"SeriesInstanceUID": f"1.{n}.{who}", "PatientID": f"{label} {who}"}
                write(tmp_path / "set" / label / f"sub-{who}" / f"IM{k}", 2.0 * k, **said)
    made = index([tmp_path / "set"], tmp_path / "out")
    assert made.catalog.images["depth"].to_list() == [3] * 4
    assert sorted(made.catalog.annotations["label"].to_list()) == ["ill", "ill", "well", "well"]
    assert made.catalog.cases["patient"].n_unique() == 4
    assert set(made.catalog.cases["patient_known"]) == {"given"}


def test_a_table_that_names_each_slice_keeps_them_single(tmp_path: Path) -> None:
    rows = ["path,label"]
    for k in range(4):
        write(tmp_path / "set" / "images" / f"{k}.dcm", 2.0 * k)
        rows.append(f"images/{k}.dcm,{'ill' if k == 2 else 'well'}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    made = index([tmp_path / "set" / "labels.csv"], tmp_path / "out")
    depths = made.catalog.images["depth"].to_list()
    labels = made.catalog.annotations["label"].to_list()
    assert len(labels) == len(depths)
    assert labels.count("ill") == 1


def test_a_copy_of_a_series_is_set_aside(scans: Path, tmp_path: Path) -> None:
    files = sorted(scans.iterdir())
    for file in files:
        shutil.copy(file, file.with_name(f"z-{file.name}"))
    for _ in range(2):  # the second time without reading it again
        made = index([scans], tmp_path / "out")
        assert made.catalog.images["depth"].to_list() == [4, 4]
        assert made.rejected["reason"].to_list() == ["a second copy of a slice in another file"] * 8
    for file in files:
        file.unlink()
    again = index([scans], tmp_path / "out")
    assert again.catalog.images["depth"].to_list() == [4, 4]
    assert again.rejected.is_empty()
