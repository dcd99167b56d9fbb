"""Bodies with a left and a right, and DICOM files made to measure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeds
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from hounsfield.image import Image

MakeDicom = Callable[..., Path]


@pytest.fixture
def oblique() -> Image:
    """(1, 3, 4, 5) int16, oblique, with one bright corner."""
    return seeds.oblique()


@pytest.fixture
def make_dicom(tmp_path: Path) -> MakeDicom:
    """Write stored values as a DICOM file; keyword arguments are its elements by name."""
    count = 0

    def make(
        stored: np.ndarray,
        *,
        syntax: str = ExplicitVRLittleEndian,
        colour: bool = False,
        **elements: Any,
    ) -> Path:
        nonlocal count
        count += 1
        data = Dataset()
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
        data.SOPInstanceUID = generate_uid(entropy_srcs=[str(count)])
        data.Modality = "CR"
        data.SamplesPerPixel = 3 if colour else 1
        data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        data.Rows, data.Columns = stored.shape[-3:-1] if colour else stored.shape[-2:]
        if stored.ndim > (3 if colour else 2):
            data.NumberOfFrames = stored.shape[0]
        if colour:
            data.PlanarConfiguration = 0
        data.BitsAllocated = data.BitsStored = stored.dtype.itemsize * 8
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(stored.dtype.kind == "i")
        big = syntax == "1.2.840.10008.1.2.2"
        raw = stored.astype(stored.dtype.newbyteorder(">" if big else "<")).tobytes()
        data.PixelData = raw + b"\0" * (len(raw) % 2)
        for name, value in elements.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)
        data["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        path = tmp_path / f"{count}.dcm"
        data.save_as(path, enforce_file_format=True)
        return path

    return make
