"""A CT series of 400×512×512 int16 to float32 HU and an affine, beside what a user would pick.

    python benches/bench_dicom.py [--quick] [--syntax raw]

Every candidate runs in a process of its own after its imports; the files are in the page cache.
The best of five calls counts (of two where one takes over 3 s). Equal output is checked on every
candidate: voxels exactly, slice order by position. `codec alone` decodes the same frames with two
threads and throws them away: what no reader can beat. Memory is the peak above the imported
process; the output itself is 419 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "dicom.json"
SLICES, QUICK = 400, 40
SYNTAXES = {
    "raw": "1.2.840.10008.1.2.1",
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-2000": "1.2.840.10008.1.2.4.90",
}
Work = Callable[[], Any]


def scan(slices: int) -> np.ndarray:
    """A body with rings and noise, (Z, Y, X) int16, as stored: HU + 1024."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512] / 255.5 - 1
    body = 1040 * np.exp(-((1.3 * x**4 + 2 * y**4) ** 4)) + 24
    out = np.empty((slices, 512, 512), np.int16)
    for z in range(slices):
        rings = 150 * np.sin(20 * x + 0.1 * z) * np.cos(17 * y)
        out[z] = np.clip(body + rings + rng.standard_normal((512, 512)) * 20, 0, 4095)
    return out


def encoded(picture: np.ndarray, name: str) -> bytes:
    import imagecodecs

    if name == "jpeg-lossless":
        return bytes(imagecodecs.ljpeg_encode(picture.astype(np.uint16), bitspersample=16))
    if name == "jpeg-ls":
        return bytes(imagecodecs.jpegls_encode(picture.astype(np.uint16)))
    if name == "jpeg-2000":
        picture = picture.astype(np.uint16)
        return bytes(imagecodecs.jpeg2k_encode(picture, level=0, codecformat="j2k"))
    raise ValueError(name)


def write_series(home: Path, slices: int, name: str) -> None:
    """The scan with the header of a real scanner's file (pydicom's CT_small)."""
    import pydicom
    from pydicom.data import get_testdata_file
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless, generate_uid

    source = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    series = generate_uid()
    for z, picture in enumerate(scan(slices)):
        data = pydicom.Dataset()
        data.update(source)
        data.file_meta = source.file_meta
        data.SeriesInstanceUID, data.SOPInstanceUID = series, generate_uid()
        data.Rows = data.Columns = 512
        data.PixelSpacing, data.SliceThickness = [0.8, 0.8], 1.5
        data.ImagePositionPatient = [-204.8, -204.8, -300 + 1.5 * z]
        data.InstanceNumber, data.RescaleIntercept, data.RescaleSlope = slices - z, -1024, 1
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1 if name == "raw" else 0
        for unused in ("PixelPaddingValue", "DataSetTrailingPadding"):
            if unused in data:
                delattr(data, unused)
        data.PixelData = picture.tobytes()
        data.file_meta.TransferSyntaxUID = SYNTAXES["raw"]
        if name == "rle":
            data.compress(RLELossless, picture.astype(np.uint16), generate_instance_uid=False)
        elif name != "raw":
            data.PixelData = encapsulate([encoded(picture, name)])
            data["PixelData"].VR = "OB"
            data["PixelData"].is_undefined_length = True
            data.file_meta.TransferSyntaxUID = SYNTAXES[name]
        data.save_as(home / f"{(z * 7919) % slices:04d}.dcm", enforce_file_format=True)


def with_hounsfield(home: Path, dtype: type = np.float32) -> Work:
    from hounsfield import formats
    from hounsfield.formats.contract import Like

    like = Like(dtype=np.dtype(dtype))
    formats.load("dicom")
    return lambda: formats.read(home, like=like).array[0]


def with_sitk(home: Path) -> Work:
    import SimpleITK as sitk  # noqa: N813

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)

    def work() -> np.ndarray:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(home)))
        image = reader.Execute()
        return sitk.GetArrayViewFromImage(image).astype(np.float32)

    return work


def with_pydicom(home: Path) -> Work:
    import pydicom

    def work() -> np.ndarray:
        files = [pydicom.dcmread(path) for path in home.iterdir()]
        files.sort(key=lambda one: float(one.ImagePositionPatient[2]))
        return np.stack(
            [
                one.pixel_array.astype(np.float32) * float(one.RescaleSlope)
                + float(one.RescaleIntercept)
                for one in files
            ]
        )

    return work


def with_monai(home: Path) -> Work:
    from monai.transforms import LoadImage

    load = LoadImage(reader="PydicomReader", image_only=True)
    return lambda: np.asarray(load(str(home))).transpose(2, 1, 0)


def with_torchio(home: Path) -> Work:
    import torchio

    return lambda: torchio.ScalarImage(home).data.numpy()[0].transpose(2, 1, 0)


def with_dicom2nifti(home: Path) -> Work:
    """To a file, as it knows no other way."""
    import dicom2nifti

    def work() -> None:
        with tempfile.TemporaryDirectory() as out:
            dicom2nifti.dicom_series_to_nifti(str(home), f"{out}/x.nii", reorient_nifti=False)

    return work


def codec_alone(home: Path) -> Work:
    import imagecodecs
    import pydicom
    from pydicom.encaps import generate_frames

    frames = [
        next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))
        for path in home.iterdir()
    ]
    decode = {
        "jpeg-lossless": imagecodecs.jpeg8_decode,
        "jpeg-ls": imagecodecs.jpegls_decode,
        "jpeg-2000": imagecodecs.jpeg2k_decode,
        "rle": lambda frame: imagecodecs.dicomrle_decode(frame, np.dtype("<u2")),
    }[home.name]

    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(decode, frames):
                pass

    return work


CALLS: dict[str, Callable[[Path], Work]] = {
    "hounsfield": with_hounsfield,
    "hounsfield int16": lambda home: with_hounsfield(home, np.int16),
    "SimpleITK": with_sitk,
    "pydicom": with_pydicom,
    "MONAI": with_monai,
    "codec alone": codec_alone,
} | {
    name: call
    for name, module, call in (
        ("TorchIO", "torchio", with_torchio), ("dicom2nifti", "dicom2nifti", with_dicom2nifti),
    )
    if importlib.util.find_spec(module)
}  # fmt: skip


def peak() -> float:
    """MB at most so far; ru_maxrss would count the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def run_one(name: str, home: Path) -> dict[str, Any]:
    """In a process of its own: the best time, memory above the imports, whether it is right."""
    work = CALLS[name](home)
    before, times, made = peak(), [], None
    while len(times) < (2 if times and times[0] > 3 else 5):
        made = None
        start = time.perf_counter()
        made = work()
        times.append(time.perf_counter() - start)
        if len(times) == 1:
            memory = peak() - before
    right = None
    if made is not None:
        expected = scan(len(made)).astype(np.float32) - 1024
        # Who sorts by InstanceNumber has the slices from the other end
        found = made.astype(np.float32, copy=False)
        right = any(np.array_equal(found[::way], expected) for way in (1, -1))
    return {"seconds": min(times), "MB": memory, "right": right}


def with_dcm2niix(home: Path) -> dict[str, Any]:
    """The C program, to .nii: it writes besides, and makes no float."""
    import dcm2niix

    times = []
    with tempfile.TemporaryDirectory() as out:
        command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "x", "-w", "1", "-o", out, str(home)]
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    return {"seconds": min(times), "MB": None, "right": None}


def candidate(name: str, home: Path) -> dict[str, Any] | None:
    if name == "codec alone" and home.name == "raw":
        return None
    command = [sys.executable, __file__, "--one", name, str(home)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    with contextlib.suppress(ValueError, IndexError):
        return dict(json.loads(ran.stdout.splitlines()[-1]))
    print(f"{name}: {ran.stderr.splitlines()[-1:]}")
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="40 slices")
    parser.add_argument("--syntax", choices=SYNTAXES, action="append")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(run_one(asked.one[0], Path(asked.one[1]))))
        return
    slices = QUICK if asked.quick else SLICES
    rows: dict[str, dict[str, Any]] = {}
    for name in asked.syntax or SYNTAXES:
        with tempfile.TemporaryDirectory() as place:
            home = Path(place, name)
            home.mkdir()
            write_series(home, slices, name)
            found = {who: candidate(who, home) for who in CALLS}
            if name == "raw":
                found["dcm2niix"] = with_dcm2niix(home)
        print(f"\n{name}: {slices}×512×512")
        ours = (found["hounsfield"] or {"seconds": float("nan")})["seconds"]
        for who, one in found.items():
            if one is None:
                continue
            memory = "" if one["MB"] is None else f"{one['MB']:6.0f} MB"
            right = {True: "equal", False: "DIFFERENT", None: ""}[one["right"]]
            ratio = one["seconds"] / ours
            print(f"{who:18} {one['seconds']:7.3f} s  {ratio:6.2f} × ours  {memory:>9}  {right}")
            rows[f"{name}, {who}"] = {**one, "ratio": ratio}
    if not asked.quick:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(before | rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
