"""Index: files a second, against a plain loop of pydicom that builds a table.

    python benches/bench_index.py --files 2000 --side 512

Both see the same files in the page cache. The index also hashes every file's bytes, makes
pseudonyms and writes the tables; the loop reads headers (`stop_before_pixels=True`) only, and
once more with the same hashes, so that like is compared with like.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from hounsfield.catalog.scan import Indexed, IndexSettings, index

FIELDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "PatientSex")
FIELDS = (*FIELDS, "PatientAge", "ViewPosition", "BodyPartExamined", "Rows", "Columns")


def write(path: Path, number: int, side: int, rng: np.random.Generator) -> None:
    """A radiograph of noise."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.1.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta[0x20002].value, meta[0x20003].value
    data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
    data.PatientID, data.PatientName, data.PatientSex = f"P{number // 2}", "A^B", "F"
    data.Modality, data.ViewPosition, data.PatientAge = "CR", "PA", "061Y"
    data.BodyPartExamined, data.PixelSpacing = "CHEST", [0.2, 0.2]
    data.Rows = data.Columns = side
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = rng.integers(0, 4096, (side, side), dtype=np.uint16).tobytes()
    data.save_as(path, enforce_file_format=True)


def loop(folder: Path, hashes: bool) -> pl.DataFrame:
    """What a plain script does."""
    rows = []
    for path in sorted(folder.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        row = {name: str(header.get(name, "")) for name in FIELDS}
        if hashes:
            row["hash"] = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"path": str(path), **row})
    return pl.DataFrame(rows)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--quick", action="store_true", help="200 files")
    asked = parser.parse_args()
    asked.files = 200 if asked.quick else asked.files
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "in"), Path(place, "out")
        folder.mkdir()
        rng = np.random.default_rng(0)
        for number in range(asked.files):
            write(folder / f"{number:07}.dcm", number, asked.side, rng)
        loop(folder, hashes=True)  # everything is in the page cache from here on
        plain, _ = timed(lambda: loop(folder, hashes=False))
        hashed, _ = timed(lambda: loop(folder, hashes=True))
        settings = IndexSettings(workers=asked.workers)
        first, made = timed(lambda: index([folder], out, settings))
        again, _ = timed(lambda: index([folder], out, settings))
        assert isinstance(made, Indexed)
        assert made.catalog.images.height == asked.files
        shutil.rmtree(out)
        alone, _ = timed(lambda: index([folder], out, IndexSettings(workers=0)))
    say = {
        "pydicom loop, headers": plain,
        "pydicom loop, headers and hashes": hashed,
        "index": first,
        "index in one process": alone,
        "index again, nothing changed": again,
    }
    print(f"{asked.files} files of {asked.side} × {asked.side}, 16 bits")
    for name, seconds in say.items():
        print(f"{name:34} {asked.files / seconds:8.0f} files/s   ratio {hashed / seconds:5.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak:.0f} MB")


if __name__ == "__main__":
    main()
