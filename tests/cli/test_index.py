"""`index` and `split` as commands, on real DICOM files with planted names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from hounsfield.catalog.scan import IndexSettings
from hounsfield.catalog.scan import index as scan
from hounsfield.catalog.tables import LINK_FILE
from hounsfield.cli.index import index
from hounsfield.cli.split import split
from hounsfield.errors import InputError, UsageError

PHI = ("MUSTERMANN", "Erika", "K-4711-XY", "19640812", "Hauptallee", "20240229", "DrHouse")


def write_dicom(path: Path, patient: str, *, age: str = "061Y", study: str = "1.2.3.4") -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta[0x20002].value, meta[0x20003].value
    data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{study}.1"
    data.Modality, data.PatientID, data.PatientName = "CR", patient, "MUSTERMANN^Erika"
    data.PatientBirthDate, data.StudyDate, data.PatientAge = "19640812", "20240229", age
    data.PatientAddress, data.ReferringPhysicianName = "Hauptallee 1", "DrHouse"
    data.PatientSex, data.ViewPosition, data.InstitutionName = "F", "PA", "Hauptallee"
    data.StudyDescription = "Erika's chest"
    data.Rows, data.Columns, data.SamplesPerPixel = 3, 4, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelData = np.arange(12, dtype="<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """Class folders of DICOM files whose headers, names and folders carry a person."""
    root = tmp_path / "MUSTERMANN Erika"
    for n in range(24):
        name = "Erika_MUSTERMANN" if n % 2 else "19640812"
        label = "ill" if n % 3 == 0 else "well"
        patient = f"K-4711-XY-{n // 2}"
        write_dicom(root / label / f"{name}_{n}.dcm", patient, study=f"1.2.3.{n // 2}")
    (root / "ill" / "Erika_K-4711-XY.dcm").write_text("DrHouse is no image")
    (root / "well" / "MUSTERMANN.dcm").write_bytes(b"")
    return root


def test_no_identity_leaves_the_link(clinic: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    index(str(clinic), out=out, workers=0)
    split(out)
    printed = capsys.readouterr()
    (printed_to := tmp_path / "printed").write_text(printed.out.replace(str(out), "") + printed.err)
    files = [*out.rglob("*"), printed_to]
    names = {file.name for file in files}
    assert {"images.parquet", "cases.parquet", "annotations.parquet", "rejected.csv"} <= names
    for file in files:
        data = text_of(file)
        found = [word for word in PHI if word.lower() in data.lower()]
        if file.name == LINK_FILE:
            assert found, "the link is where identities are: the search must find them there"
            assert file.stat().st_mode & 0o777 == 0o600
        else:
            assert not found, file.name
    images = pl.read_parquet(out / "images.parquet")
    assert images["patient_known"].to_list() == ["given"] * 24
    assert images["patient"].n_unique() == 12
    assert set(images["age"]) == {61.0}
    assert pl.read_csv(out / "rejected.csv").height == 2
    assert "rejected" in printed.out


def text_of(file: Path) -> str:
    """A file's bytes, and for a table (which is compressed) its cells and metadata as well."""
    text = file.read_bytes().decode("latin-1")
    if file.suffix == ".parquet":
        table = pl.read_parquet(file)
        text += str(table.to_dicts()) + str(pl.read_parquet_metadata(file)) + str(table.columns)
    return text


def test_threads_find_the_same_as_one(tmp_path: Path) -> None:
    for n in range(70):
        write_dicom(tmp_path / "in" / f"{n:02}.dcm", f"P{n // 2}", study=f"1.2.3.{n}")
    (tmp_path / "in" / "99.dcm").write_text("no image")
    alone = scan([tmp_path / "in"], tmp_path / "alone", IndexSettings(workers=0, keep_ids=True))
    many = scan([tmp_path / "in"], tmp_path / "many", IndexSettings(workers=4, keep_ids=True))
    assert alone.catalog.images.height == 70
    assert alone.catalog.images.equals(many.catalog.images)
    assert alone.catalog.cases.equals(many.catalog.cases)
    assert alone.rejected.equals(many.rejected)


def test_members_of_an_archive_have_hashes_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (30, 28, 28), dtype=np.uint8)
    pictures[20] = pictures[3]
    labels = (np.arange(30) % 2)[:, None].astype(np.uint8)
    parts = {"train": slice(0, 18), "val": slice(18, 24), "test": slice(24, 30)}
    arrays = {f"{part}_images": pictures[rows] for part, rows in parts.items()}
    arrays |= {f"{part}_labels": labels[rows] for part, rows in parts.items()}
    np.savez_compressed(tmp_path / "pneumoniamnist.npz", **arrays)
    made = scan([tmp_path / "pneumoniamnist.npz"], tmp_path / "out", IndexSettings(workers=0))
    images = made.catalog.images
    assert images["image"].to_list()[:2] == ["train/0", "train/1"]
    assert images["hash"].n_unique() == 29
    assert images["hash"][3] == images["hash"][20]
    assert images["source"].unique().to_list() == ["pneumoniamnist"]
    assert made.catalog.cases["part"].value_counts(sort=True)["count"].to_list() == [18, 6, 6]
    again = scan([tmp_path / "pneumoniamnist.npz"], tmp_path / "out", IndexSettings(workers=0))
    assert (again.read, again.unchanged) == (0, 30)


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder was given"):
        index(out=tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        index(str(tmp_path / "nowhere"), out=tmp_path / "out")
    with pytest.raises(InputError, match="a table of the catalog is missing"):
        split(tmp_path)


def test_commands_cost_no_import_before_they_run() -> None:
    code = (
        "import sys, hounsfield.cli.index, hounsfield.cli.split; "
        "print({'polars', 'numpy', 'pydantic', 'rich', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "set()"


def test_the_summary_counts_what_is_there(clinic: Path, tmp_path: Path, capsys) -> None:
    index(str(clinic), out=tmp_path / "out", workers=0)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "modality CR 24 12" in lines
    assert any(line.endswith("ill 8 8") for line in lines)
    assert any(line.endswith("well 16 12") for line in lines)
    assert "patients given 24 12" in lines
    assert "all 24 12" in lines
    assert "rejected 2" in lines
    assert "26 read, 0 unchanged" in lines


def test_hashes_find_every_identical_picture_of_pneumoniamnist(
    real_data: Path, tmp_path: Path
) -> None:
    """25 groups are known: 16 within train, 6 train–val, 2 train–train–val, 1 within test."""
    file = real_data / "pneumoniamnist" / "pneumoniamnist.npz"
    made = scan([file], tmp_path / "out", IndexSettings())
    cases = made.catalog.cases.select("case", "part")
    images = made.catalog.images.join(cases, left_on="image", right_on="case")
    groups = images.group_by("hash").agg(pl.col("part").sort_by("image")).get_column("part")
    same = [",".join(sorted(parts)) for parts in groups.to_list() if len(parts) > 1]
    assert {one: same.count(one) for one in set(same)} == {
        "train,train": 16,
        "train,val": 6,
        "train,train,val": 2,
        "test,test": 1,
    }


def test_real_scans_of_several_vendors(real_data: Path, tmp_path: Path) -> None:
    folders = [real_data / name for name in ("dicom-radiographs", "dicom-ct-tilt")]
    made = scan(folders, tmp_path / "out", IndexSettings())
    images = made.catalog.images
    assert images["source"].n_unique() == 2
    assert {"CT"} <= set(images["modality"])
    (scan_of_54,) = images.filter(modality="CT").rows(named=True)
    assert scan_of_54["depth"] == 54
    assert images["format"].unique().to_list() == ["dicom"]
