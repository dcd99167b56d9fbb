"""What a user has: folders of pictures, DICOM files and tables; and what a command answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

# What makes a run take a second: all that would be measured or is slow, decided.
QUICK = (
    "--training.epochs=1",
    "--training.batch=16",
    "--training.threads=1",
    "--training.workers=1",
    "--training.precision=fp32",
    "--training.memory-format=contiguous",
    "--preprocessing.size",
    "12",
    "12",
    "--model.settings.widths=4,8",
    "--model.settings.blocks=1,1",
    "--data.min-per-class=0",
    "--audit.near=off",
    "--evaluation.resamples=100",
)


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of it in one line: where a line is broken depends on the terminal."""
        return " ".join((self.out + self.err).split())

    def refuses(self, code: int, *patterns: str) -> None:
        """It refused with this code, said each of the patterns, and shows no traceback."""
        assert self.code == code, self.said
        assert re.search(r"^Error: ", self.err, re.MULTILINE), self.err
        assert "Traceback" not in self.said
        for pattern in patterns:
            assert re.search(pattern, self.said), f"{pattern!r} is not in: {self.said}"


def picture(path: Path, ill: int = 0, size: tuple[int, int] = (20, 20)) -> Path:
    """A grey PNG of noise, each name its own; with a bright patch above, left where `ill`."""
    rng = np.random.default_rng(int(blake2b(path.name.encode(), digest_size=4).hexdigest(), 16))
    pixels = rng.normal(100, 20, size)
    pixels[2 : size[0] // 2, 2 : size[1] // 2] += 60.0 * ill
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


def class_folders(root: Path, count: int, classes: Sequence[str] = ("well", "ill")) -> Path:
    """`count` pictures as ROOT/CLASS/NUMBER.png, the classes in turn."""
    for number in range(count):
        name = classes[number % len(classes)]
        picture(root / name / f"{number}.png", int(name == "ill"))
    return root


def table(root: Path, rows: Sequence[str], header: str = "path,label", images: int = 0) -> Path:
    """ROOT/labels.csv with these rows, beside `images` pictures NUMBER.png."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.csv").write_text("\n".join((header, *rows, "")))
    for number in range(images):
        picture(root / f"{number}.png", number % 2)
    return root


def dicom(path: Path, pixels: np.ndarray | None = None, **tags: Any) -> Path:
    """A radiograph as DICOM with these tags besides; a tag of None is left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", ComputedRadiographyImageStorage)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    data.Modality = "CR"
    if pixels is not None:
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelRepresentation = 0
        data.PixelData = np.clip(pixels, 0, 4095).astype("<u2").tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def tree(root: Path) -> dict[str, str]:
    """Every file and folder below a folder; files with a digest of their bytes."""
    return {
        str(path.relative_to(root)): blake2b(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(root.rglob("*"))
    }
