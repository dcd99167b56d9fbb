"""Segmentations and structure sets of a body with a left and a right, written by other libraries.

The CT is oblique: its world positions are sums of ROW, COLUMN and NORMAL done here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

ROW = np.array([np.cos(0.3), np.sin(0.3), 0.0])
COLUMN = np.array([-np.sin(0.3) * np.cos(0.5), np.cos(0.3) * np.cos(0.5), np.sin(0.5)])
NORMAL = np.cross(ROW, COLUMN)
START = np.array([-40.5, 12.25, 88.0])  # LPS mm
SPACING = (0.8, 0.5)  # between rows (y), between columns (x)
FRAME_UID, STUDY_UID, SERIES_UID = "1.2.3.9", "1.2.3.1", "1.2.3.2"


def lps(x: Any, y: Any, mm: Any) -> np.ndarray:
    """Column x and row y of the plane at some mm."""
    return (
        START
        + np.multiply.outer(x, SPACING[1] * ROW)
        + np.multiply.outer(y, SPACING[0] * COLUMN)
        + np.multiply.outer(mm, NORMAL)
    )


def made_ct(shape: tuple[int, int, int] = (6, 5, 7), step: float = 2.5) -> list[Dataset]:
    """A CT's slices without a picture in them."""
    slices, rows, columns = shape
    return [_slice(i, rows, columns, lps(0, 0, i * step)) for i in range(slices)]


def _slice(number: int, rows: int, columns: int, corner: np.ndarray) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    one.SOPInstanceUID = generate_uid(entropy_srcs=[f"ct {number}"])
    one.StudyInstanceUID, one.SeriesInstanceUID = STUDY_UID, SERIES_UID
    one.FrameOfReferenceUID, one.Modality = FRAME_UID, "CT"
    one.PatientID = one.PatientName = "planted"
    one.PatientBirthDate = one.PatientSex = one.AccessionNumber = one.ReferringPhysicianName = ""
    one.StudyDate, one.StudyTime, one.StudyID = "20200101", "000000", "1"
    one.SeriesNumber, one.InstanceNumber = 1, number + 1
    one.Rows, one.Columns = rows, columns
    one.PixelSpacing, one.SliceThickness = list(SPACING), 2.0
    one.ImageOrientationPatient = [round(float(v), 9) for v in (*ROW, *COLUMN)]
    one.ImagePositionPatient = [round(float(v), 6) for v in corner]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 0
    one.RescaleSlope, one.RescaleIntercept = 1, 0
    one.PixelData = np.zeros((rows, columns), np.uint16).tobytes()
    return one


def write_ct(slices: list[Dataset], folder: Path) -> Path:
    folder.mkdir()
    for number, one in enumerate(slices):
        one.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def made_seg(ct: list[Dataset], masks: np.ndarray, kind: str, **more: Any) -> Dataset:
    """`masks` is (slices, rows, columns, segments), or label values (slices, rows, columns)."""
    count = masks.shape[3] if masks.ndim == 4 else int(masks.max())
    described = [
        highdicom.seg.SegmentDescription(
            i + 1, f"part {i + 1}", codes.SCT.Organ, codes.SCT.Liver, "MANUAL"
        )
        for i in range(count)
    ]
    return highdicom.seg.Segmentation(
        ct, masks, kind, described, "1.2.3.4", 5, generate_uid(entropy_srcs=[kind]), 1,
        "maker", "model", "1.0", "0", **more,
    )  # fmt: skip


def saved(data: Dataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def made_structures(
    regions: dict[str, list[tuple[str, np.ndarray]]], frame_uid: str | None = FRAME_UID
) -> Dataset:
    """A structure set: name -> contours of a kind, with their points (N, 3) in LPS mm."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.SOPInstanceUID = "1.2.3.77"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.Modality, data.PatientName = "RTSTRUCT", "planted"
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    data.RTROIObservationsSequence = []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawn, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        if frame_uid:
            roi.ReferencedFrameOfReferenceUID = frame_uid
        drawn.ReferencedROINumber = seen.ReferencedROINumber = number
        seen.ObservationNumber, seen.RTROIInterpretedType = number, "ORGAN"
        drawn.ContourSequence = [_contour(kind, points) for kind, points in contours]
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(drawn)
        data.RTROIObservationsSequence.append(seen)
    return data


def _contour(kind: str, points: np.ndarray) -> Dataset:
    one = Dataset()
    one.ContourGeometricType = kind
    one.NumberOfContourPoints = len(points)
    one.ContourData = [f"{v:.6f}" for v in np.ravel(points)]
    return one
