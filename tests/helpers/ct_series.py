"""A CT series as DICOM files, written with pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_series(
    folder: Path,
    patient: str,
    along: list[float],
    hu: np.ndarray | None = None,
    spacing: tuple[float, float] = (0.8, 0.5),
) -> None:
    """Slices at some mm, axial, in files whose names say nothing; spacing is (y, x) as in DICOM.

    `hu` is (Z, Y, X); without it slice n is 4 x 5 pixels of n HU.
    """
    hu = np.stack([np.full((4, 5), n) for n in range(len(along))]) if hu is None else hu
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = (generate_uid(entropy_srcs=[w, patient, str(along)]) for w in "abc")
    for number, mm in enumerate(along):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
        uid = generate_uid(entropy_srcs=[study, str(number)])
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
        data.Modality, data.PatientID, data.InstanceNumber = "CT", patient, number + 1
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.FrameOfReferenceUID = frame
        data.ImagePositionPatient = [-10.0, -20.0, mm]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = list(spacing), 2.0
        data.Rows, data.Columns, data.SamplesPerPixel = *hu.shape[1:], 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 1
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = (hu[number] + 1024).astype("<i2").tobytes()
        data.save_as(folder / f"{(number * 7919) % 1000:03d}{number}.dcm", enforce_file_format=True)
