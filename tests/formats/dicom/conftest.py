"""A body in files: slices of one series, made to measure."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid

ROW = np.array([np.cos(0.3), np.sin(0.3), 0.0])
COLUMN = np.array([-np.sin(0.3) * np.cos(0.5), np.cos(0.3) * np.cos(0.5), np.sin(0.5)])
NORMAL = np.cross(ROW, COLUMN)
START = np.array([-40.5, 12.25, 88.0])
SPACING = (0.8, 0.5)  # between rows (y), between columns (x), as DICOM has it
SHAPE = (3, 4)
MakeSeries = Callable[..., Path]


@pytest.fixture
def make_series(make_dicom: Any, tmp_path: Path) -> MakeSeries:
    """Slices at some mm along the normal, in files whose names say nothing; returns the folder."""

    def make(
        along: list[float],
        *,
        shear: np.ndarray | None = None,
        each: Callable[[int], dict[str, Any]] = lambda i: {},
        stored: Callable[[int], np.ndarray] | None = None,
        folder: str = "series",
        **elements: Any,
    ) -> Path:
        home = tmp_path / folder
        home.mkdir(exist_ok=True)
        common = {
            "Modality": "CT", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
            "FrameOfReferenceUID": "1.2.3.5", "PixelSpacing": list(SPACING), "SliceThickness": 2.0,
            "ImageOrientationPatient": [*map(float, ROW), *map(float, COLUMN)],
            "RescaleSlope": 1, "RescaleIntercept": -1024, "PatientID": "planted id",
        } | elements  # fmt: skip
        for i, mm in enumerate(along):
            corner = START + mm * (NORMAL + (0 if shear is None else shear))
            pixels = values(i) if stored is None else stored(i)
            said = common | {
                "ImagePositionPatient": [round(float(v), 6) for v in corner],
                "InstanceNumber": i + 1, "SOPInstanceUID": generate_uid(),
            } | each(i)  # fmt: skip
            said = {name: value for name, value in said.items() if value is not None}
            shutil.move(make_dicom(pixels, **said), home / f"{(i * 7919) % 1000:03d}-{i}.dcm")
        return home

    return make


def values(i: int) -> np.ndarray:
    """A slice with one bright corner, told from the others by its numbers."""
    array = np.arange(12, dtype=np.int16).reshape(SHAPE) + 100 * i
    array[0, 3] = 3000
    return array
