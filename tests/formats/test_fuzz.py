"""Damaged files, seeded: each ends in an Image or in our error, for header and for pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image as Picture
from pydicom.encaps import encapsulate

from hounsfield import formats
from hounsfield.errors import HounsfieldError
from hounsfield.image import Image

MUTANTS = 200
GREY = np.random.default_rng(0).integers(0, 256, (24, 20)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 10, 3)).astype(np.uint8)


def _dicom(make: Any, syntax: str, frame: bytes | None, **elements: Any) -> Path:
    path = make(GREY, **elements)
    if frame is not None:
        data = pydicom.dcmread(path)
        data.PixelData = encapsulate([frame])
        data.file_meta.TransferSyntaxUID = syntax
        data.save_as(path)
    return path


def _rle(path: Path) -> Path:
    data = pydicom.dcmread(path)
    data.compress("1.2.840.10008.1.2.5")
    data.save_as(path)
    return path


def _npz(path: Path) -> None:
    np.savez_compressed(path, a_images=np.stack([GREY] * 3), a_labels=np.arange(3), b=GREY)


FILES: dict[str, Callable[[Path, Any], Path | None]] = {
    "dicom": lambda path, make: _dicom(
        make, "", None, WindowCenter=5, WindowWidth=9, PixelSpacing=[1, 2],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[1, 2, 3],
        SliceThickness=1,
    ),
    "jpeg-ls": lambda path, make: _dicom(
        make, "1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode(GREY)
    ),
    "jpeg-2000": lambda path, make: _dicom(
        make, "1.2.840.10008.1.2.4.90", imagecodecs.jpeg2k_encode(GREY, codecformat="j2k")
    ),
    "jpeg-lossless": lambda path, make: _dicom(
        make, "1.2.840.10008.1.2.4.70", imagecodecs.jpeg8_encode(GREY, lossless=True, predictor=1)
    ),
    "rle": lambda path, make: _rle(make(GREY)),
    "nii": lambda path, make: formats.write(Image.from_numpy(GREY), path.with_suffix(".nii")),
    "nii.gz": lambda path, make: formats.write(Image.from_numpy(GREY), path.with_suffix(".nii.gz")),
    "png": lambda path, make: Picture.fromarray(COLOUR).save(path, "PNG"),
    "jpeg": lambda path, make: Picture.fromarray(COLOUR).save(path, "JPEG"),
    "tiff": lambda path, make: tifffile.imwrite(path, np.stack([GREY] * 3), compression="zlib"),
    "tiff-plain": lambda path, make: Picture.fromarray(COLOUR).save(path, "TIFF"),
    "npy": lambda path, make: np.save(path.with_suffix(".npy"), GREY),
    "npz": lambda path, make: _npz(path.with_suffix(".npz")),
}  # fmt: skip


def mutants(data: bytes, seed: int) -> Iterator[bytes]:
    """Flipped bits, cut ends, absurd sizes, swapped and repeated pieces."""
    rng = np.random.default_rng(seed)
    for number in range(MUTANTS):
        changed = bytearray(data)
        head = min(len(data), 700)
        where = int(rng.integers(head if number % 3 else len(data)))
        match number % 5:
            case 0:
                for place in rng.integers(len(data), size=int(rng.integers(1, 20))):
                    changed[place] ^= 1 << int(rng.integers(8))
            case 1:
                del changed[int(rng.integers(len(data))) :]
            case 2:
                absurd = (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4, b"\xff\xff\xff\x7f")
                changed[where : where + 4] = absurd[int(rng.integers(4))]
            case 3:
                other = int(rng.integers(len(data)))
                changed[where : where + 8], changed[other : other + 8] = (
                    changed[other : other + 8],
                    changed[where : where + 8],
                )
            case _:
                changed[where:where] = changed[where : where + int(rng.integers(1, 64))]
        yield bytes(changed)


@pytest.mark.filterwarnings("ignore")  # libraries warn of what they repair; the outcome is judged
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_end_in_an_image_or_our_error(
    name: str, tmp_path: Path, make_dicom: Any
) -> None:
    start = tmp_path / "whole"
    made = FILES[name](start, make_dicom)
    path = made or next(tmp_path.glob("whole*"))
    whole = path.read_bytes()
    source = formats.find(path)[0]
    formats.read(source)
    read = refused = 0
    for changed in mutants(whole, seed=7):
        path.write_bytes(changed)
        try:
            for one in formats.find(path)[:2]:
                formats.header(one)
                assert formats.read(one).array.nbytes < 1 << 30
            read += 1
        except HounsfieldError:
            refused += 1
    assert read + refused == MUTANTS
    assert refused > MUTANTS // 8
