"""Files a picture as DICOM (Computed Radiography Image Storage, PS3.3 A.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from hounsfield.catalog.phantoms.chest_scanner import SCANNERS, TOP

if TYPE_CHECKING:
    from hounsfield.catalog.phantoms.chest_case import Person, Shot

CR_STORAGE = UID("1.2.840.10008.5.1.4.1.1.1")
HOSPITALS = {
    "borealis": "St. Aldhelm General Hospital",
    "kestrel": "Lakeside Chest Clinic",
    "nordlys": "Nordhaven University Hospital",
    "tamarind": "St. Aldhelm General Hospital",
    "osprey": "Port Elsin Emergency Centre",
}


def _uid(rng: Generator) -> UID:
    """A UID made from a 128-bit number (PS3.5 B.2)."""
    return UID(f"2.25.{int.from_bytes(rng.bytes(16), 'big')}")


def uids(shot: Shot) -> tuple[UID, UID, UID]:
    """Study, series and instance UID of a picture."""
    rng = np.random.default_rng(shot.uid_seed)
    return _uid(rng), _uid(rng), _uid(rng)


def write_dicom(
    path: Path, person: Person, shot: Shot, pixels: NDArray[np.uint16], compress: str
) -> None:
    """Write `pixels` (12-bit, bone bright); a shot stored as MONOCHROME1 has them inverted."""
    stored = (TOP - pixels if shot.inverted else pixels).astype("<u2")
    dataset = FileDataset(str(path), Dataset(), preamble=b"\0" * 128, file_meta=_meta(shot))
    _who(dataset, person, shot)
    _how(dataset, shot)
    _image(dataset, shot, stored)
    if compress == "rle":
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def _meta(shot: Shot) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CR_STORAGE
    meta.MediaStorageSOPInstanceUID = uids(shot)[2]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _who(dataset: Dataset, person: Person, shot: Shot) -> None:
    study, series, instance = uids(shot)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CR_STORAGE, instance
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.PatientName, dataset.PatientID = person.name, person.hospital_id
    dataset.PatientBirthDate = person.born.strftime("%Y%m%d")
    dataset.PatientSex = "M" if person.male else "F"
    years = int((shot.taken.date() - person.born).days / 365.25)
    dataset.PatientAge = f"{years:03d}Y"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", shot.taken.strftime("%Y%m%d"))
        setattr(dataset, f"{name}Time", shot.taken.strftime("%H%M%S"))
    rng = np.random.default_rng([shot.uid_seed, 1])
    dataset.AccessionNumber = f"A{int(rng.integers(10**8)):08d}"
    dataset.ReferringPhysicianName = f"{rng.choice(['Marlow', 'Odell', 'Pryce', 'Quill'])}^Dr"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, 1
    dataset.InstitutionName = HOSPITALS[shot.exposure.scanner]


def _how(dataset: Dataset, shot: Shot) -> None:
    scanner, projection = SCANNERS[shot.exposure.scanner], shot.exposure.pose.projection
    dataset.Modality, dataset.BodyPartExamined = "CR", "CHEST"
    dataset.Manufacturer, dataset.ManufacturerModelName = scanner.maker, scanner.model
    dataset.StationName = f"{shot.exposure.scanner[:6].upper()}1"
    dataset.StudyDescription = "Chest, portable" if scanner.portable else "Chest"
    dataset.SeriesDescription = f"view: {'AP' if scanner.portable else 'PA'}"
    dataset.ConversionType = "WSD"
    dataset.ViewPosition = "AP" if scanner.portable else "PA"
    dataset.PatientOrientation = ["L", "F"]
    dataset.KVP = 90 if scanner.portable else 120
    dataset.DistanceSourceToDetector = f"{projection.source:.0f}"
    dataset.BurnedInAnnotation = "YES"


def _image(dataset: Dataset, shot: Shot, stored: NDArray[np.uint16]) -> None:
    projection = shot.exposure.pose.projection
    spacing = f"{projection.field / projection.size:.6f}"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if shot.inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelSpacing = dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    low, high = (float(v) for v in np.percentile(stored[::8, ::8], [1, 99]))
    dataset.WindowCenter = f"{(low + high) / 2:.0f}"
    dataset.WindowWidth = f"{max(high - low, 2):.0f}"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PixelData = stored.tobytes()
