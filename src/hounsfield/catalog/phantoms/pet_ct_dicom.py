"""Files a CT and a PET volume as classic DICOM, one slice a file (PS3.3 A.3 and A.21)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from hounsfield.catalog.phantoms.pet_ct_scan import Scan
from hounsfield.formats.places import RAS_FROM_LPS

CT_STORAGE, PET_STORAGE = (UID(f"1.2.840.10008.5.1.4.1.1.{end}") for end in ("2", "128"))
HALF_LIFE = 6586.2  # s, fluorine-18
BED = 120.0  # s
SLICES_A_BED = 32


@dataclass(frozen=True)
class Person:
    """Whom the headers name; invented."""

    name: str
    number: str
    sex: str
    weight: float  # kg
    height: float  # m
    injected: datetime
    dose: float  # Bq
    scanned: datetime

    @property
    def becquerel(self) -> float:
        """Bq/mL of SUV 1 at the moment the PET is corrected to, its series' beginning."""
        seconds = (self.scanned - self.injected).total_seconds()
        return float(self.dose * 2 ** (-seconds / HALF_LIFE) / (self.weight * 1000))


@dataclass(frozen=True)
class Frames:
    """The study's identifiers."""

    study: UID
    ct: UID
    pet: UID


def uid(rng: Generator) -> UID:
    """A UID made from a 128-bit number (PS3.5 B.2)."""
    return UID(f"2.25.{int.from_bytes(rng.bytes(16), 'big')}")


def write_ct(folder: Path, scan: Scan, person: Person, ids: Frames, rng: Generator) -> int:
    """A CT series into `folder`; the number of files."""
    series = uid(rng)
    for z, plane in enumerate(scan.voxels):
        data = _slice(folder, CT_STORAGE, uid(rng))
        _who(data, person, ids.study, series, ids.ct)
        data.Modality, data.SeriesNumber, data.SeriesDescription = "CT", 2, "CT low dose"
        _when(data, person.scanned - timedelta(minutes=4), person.scanned - timedelta(minutes=4))
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.KVP = "120"
        data.ConvolutionKernel = "STANDARD"
        _place(data, scan, z)
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
        _pixels(data, np.round(plane + 1024).astype("<i2"))
        data.save_as(folder / f"{z + 1:04d}.dcm", enforce_file_format=True)
    return len(scan.voxels)


def write_pet(folder: Path, scan: Scan, person: Person, ids: Frames, rng: Generator) -> int:
    """A PET series in Bq/mL into `folder`, each slice with a slope of its own."""
    series = uid(rng)
    for z, plane in enumerate(scan.voxels):
        data = _slice(folder, PET_STORAGE, uid(rng))
        _who(data, person, ids.study, series, ids.pet)
        data.Modality, data.SeriesNumber, data.SeriesDescription = "PT", 3, "PET AC"
        _acquired(data, person, z // SLICES_A_BED)
        data.ImageType = ["ORIGINAL", "PRIMARY"]
        _tracer(data, person, scan, z)
        _place(data, scan, z)
        activity = plane.astype(np.float64) * person.becquerel
        data.RescaleIntercept, data.RescaleType = "0", "BQML"
        data.RescaleSlope = f"{max(float(activity.max()), 1.0) / 32767:.8g}"
        _pixels(data, np.round(activity / float(data.RescaleSlope)).astype("<i2"))
        data.save_as(folder / f"{z + 1:04d}.dcm", enforce_file_format=True)
    return len(scan.voxels)


def _slice(folder: Path, kind: UID, instance: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(folder), Dataset(), preamble=b"\0" * 128, file_meta=meta)
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID, data.SOPInstanceUID = kind, instance
    return data


def _who(data: Dataset, person: Person, study: UID, series: UID, frame: UID) -> None:
    data.PatientName, data.PatientID, data.PatientSex = person.name, person.number, person.sex
    data.PatientBirthDate = ""
    data.PatientWeight, data.PatientSize = f"{person.weight:g}", f"{person.height:g}"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame, ""
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "1", "", ""
    data.StudyDescription = "PET-CT phantom"
    data.Manufacturer, data.ManufacturerModelName = "Halden", "Twin 40"


def _when(data: Dataset, series: datetime, acquired: datetime) -> None:
    begun = series - timedelta(minutes=5)
    for name, when in (("Study", begun), ("Series", series), ("Acquisition", acquired)):
        setattr(data, f"{name}Date", when.strftime("%Y%m%d"))
        setattr(data, f"{name}Time", when.strftime("%H%M%S"))


def _acquired(data: Dataset, person: Person, bed: int) -> None:
    """Bed after bed; FrameReferenceTime is when the activity equals its frame's mean."""
    begun = person.scanned + timedelta(seconds=bed * BED)
    _when(data, person.scanned, begun)
    data.ActualFrameDuration = round(BED * 1000)
    rate = log(2) / HALF_LIFE
    mean = log(rate * BED / (1 - exp(-rate * BED))) / rate
    data.FrameReferenceTime = f"{(bed * BED + mean) * 1000:.3f}"


def _tracer(data: Dataset, person: Person, scan: Scan, z: int) -> None:
    """Units, corrections and injection (PS3.3 C.8.9.1, C.8.9.2)."""
    data.Units, data.CountsSource, data.SeriesType = "BQML", "EMISSION", ["WHOLE BODY", "IMAGE"]
    data.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    data.DecayCorrection, data.RandomsCorrectionMethod = "START", "DLYD"
    data.AttenuationCorrectionMethod, data.ScatterCorrectionMethod = "CT-derived", "model based"
    data.NumberOfSlices, data.ImageIndex = len(scan.voxels), z + 1
    isotope = Dataset()
    isotope.CodeValue, isotope.CodingSchemeDesignator = "77004003", "SCT"
    isotope.CodeMeaning = "^18^Fluorine"
    item = Dataset()
    item.Radiopharmaceutical = "FDG"
    item.RadiopharmaceuticalStartTime = person.injected.strftime("%H%M%S")
    item.RadiopharmaceuticalStartDateTime = person.injected.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = f"{person.dose:.0f}"
    item.RadionuclideHalfLife, item.RadionuclidePositronFraction = str(HALF_LIFE), "0.97"
    item.RadionuclideCodeSequence = [isotope]
    data.RadiopharmaceuticalInformationSequence = [item]


def _place(data: Dataset, scan: Scan, z: int) -> None:
    """Where the slice lies: DICOM's LPS is RAS with x and y negated."""
    lps = RAS_FROM_LPS @ scan.affine
    first = lps @ (0, 0, z, 1)
    data.InstanceNumber = z + 1
    data.ImagePositionPatient = [f"{value:.6g}" for value in first[:3]]
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.PatientPosition = "HFS"
    data.SliceLocation = f"{first[2]:.6g}"
    data.PixelSpacing = [f"{lps[1, 1]:g}", f"{lps[0, 0]:g}"]
    data.SliceThickness = f"{lps[2, 2]:g}"


def _pixels(data: Dataset, stored: NDArray[np.int16]) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = stored.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = 1
    data.PixelData = stored.tobytes()
