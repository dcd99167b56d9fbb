"""NIfTI: time and peak memory of reading and writing a CT-like volume, beside the peers.

python benches/bench_nifti.py [--quick]

A volume of 512×512×400 int16 (a body with organs and noise) is read from nibabel's .nii.gz,
from our .nii.gz and from a .nii, and written as .nii.gz. Every row runs in a process of its own
after its imports, several times; the best counts. Every reader's values and affine are compared.
Memory is the peak above the imported process; the output itself is 200 MB, of MONAI 400.
"one inflate" is isal's own stream read into a buffer of the right size, and nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "nifti.json"
AFFINE = np.array([[-0.7, 0, 0, 180], [0, 0.7, 0, -170], [0, 0, 1.25, -400], [0, 0, 0, 1]])
VOXEL = (300, 200, 17)  # x, y, z: compared by itself, so that no axis is swapped unseen
Call = Callable[[], Any]


def volume(depth: int) -> np.ndarray:
    """(Z, Y, X) int16: air, a body, two lungs that change along z, noise of 12 HU."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512] / 511 - 0.5
    noise = rng.normal(0, 12, (9, 512, 512)).astype(np.float32)
    out = np.empty((depth, 512, 512), np.int16)
    for k in range(depth):
        t = k / 400
        body = np.hypot(x / (0.42 + 0.03 * np.sin(6 * t)), y / (0.33 + 0.02 * np.cos(5 * t))) < 1
        height = 0.2 * np.sin(3.1 * t) + 1e-3
        lung = np.hypot((np.abs(x) - 0.17) / 0.12, (y + 0.02) / height) < 1
        soft = 40 + 60 * np.sin(9 * x + 4 * t) * np.cos(7 * y)
        values = np.where(lung, -850, soft) + np.roll(noise[k % 9], k * 37)
        out[k] = np.where(body, values, -1024)
    return out


# ---- one row: prepares, and gives what is timed


def one_inflate(path: Path) -> Call:
    from isal import isal_zlib

    size = 352 + np.load(path.with_name("volume.npy"), mmap_mode="r").nbytes

    def run() -> np.ndarray:
        buffer = np.empty(size, np.uint8)
        view, at = memoryview(buffer.data), 0
        with path.open("rb", buffering=0) as file:
            stream = isal_zlib._GzipReader(file, 1 << 18)
            while at < size:
                at += stream.readinto(view[at:])
        return buffer

    return run


def ours(path: Path) -> Call:
    from hounsfield import formats

    formats.load("nifti")
    return lambda: formats.read(path)


def ours_slab(path: Path) -> Call:
    from hounsfield import formats

    formats.load("nifti")
    return lambda: formats.open(path).slab(17, 18)


def nibabel(path: Path) -> Call:
    import nibabel as nib

    def run() -> tuple[np.ndarray, np.ndarray]:
        image = nib.load(path)
        return np.array(image.dataobj), image.affine

    return run


def sitk(path: Path) -> Call:
    import SimpleITK

    def run() -> tuple[np.ndarray, np.ndarray]:
        image = SimpleITK.ReadImage(str(path))
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        return SimpleITK.GetArrayFromImage(image).T, np.diag([-1.0, -1, 1, 1]) @ affine

    return run


def monai(path: Path) -> Call:
    from monai.transforms import LoadImage

    load = LoadImage()

    def run() -> tuple[Any, np.ndarray]:
        image = load(str(path))
        return image, np.asarray(image.affine)

    return run


def torchio(path: Path) -> Call:
    import torchio as tio

    def run() -> tuple[np.ndarray, np.ndarray]:
        image = tio.ScalarImage(path)
        return image.numpy()[0], image.affine

    return run


def write_ours(path: Path) -> Call:
    from hounsfield import formats
    from hounsfield.geometry import Patient
    from hounsfield.image import Image

    formats.load("nifti")
    image = Image(np.load(path.with_name("volume.npy"))[None], Patient(AFFINE))
    return lambda: formats.write(image, path)


def write_nibabel(path: Path) -> Call:
    import nibabel as nib

    values = np.load(path.with_name("volume.npy")).T
    return lambda: nib.save(nib.Nifti1Image(values, AFFINE), path)


def write_sitk(path: Path) -> Call:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.load(path.with_name("volume.npy")))
    return lambda: SimpleITK.WriteImage(image, str(path), useCompression=True)


READERS = {"hounsfield": ours, "nibabel": nibabel, "SimpleITK": sitk, "MONAI": monai}
if importlib.util.find_spec("torchio"):
    READERS["TorchIO"] = torchio
SPECIAL = {"one inflate": one_inflate, "slab of one plane": ours_slab}
WRITERS = {"hounsfield": write_ours, "nibabel": write_nibabel, "SimpleITK": write_sitk}


def measured(kind: str, name: str, path: Path, repeats: int) -> dict[str, Any]:
    """One row, in this process."""
    run = {"read": READERS, "special": SPECIAL, "write": WRITERS}[kind][name](path)
    before = _peak(anew=True)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        got = run()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            peak = _peak() - before
            check(got, kind, path)
        del got
    return {"seconds": min(seconds), "peak_mb": round(peak), "bytes": path.stat().st_size}


def check(got: Any, kind: str, path: Path) -> None:
    if kind != "read":
        return
    if not isinstance(got, tuple):
        got = (got.array[0].T, got.geometry.affine)
    expected = np.load(path.with_name("volume.npy"), mmap_mode="r")
    values, affine = np.asarray(got[0]), got[1]
    assert values[VOXEL] == expected.T[VOXEL]
    assert values.sum(dtype=np.float64) == expected.sum(dtype=np.float64)
    np.testing.assert_allclose(affine, AFFINE, atol=1e-4)


def _peak(anew: bool = False) -> float:
    """The most memory so far in MB; `anew` begins at what is held now (Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def rows(folder: Path) -> list[tuple[str, str, str, Path]]:
    """(what, kind, name, file), writers first: the readers read what they wrote."""
    made = [("write .nii.gz", "write", name, folder / f"{name}.nii.gz") for name in WRITERS]
    made += [("write .nii", "write", "hounsfield", folder / "plain.nii")]
    for title, file in (
        ("nibabel's .nii.gz", "nibabel.nii.gz"),
        ("our .nii.gz", "hounsfield.nii.gz"),
        (".nii", "plain.nii"),
    ):
        if file.endswith("gz"):
            made.append((title, "special", "one inflate", folder / file))
        made += [(title, "read", name, folder / file) for name in READERS]
        made.append((title, "special", "slab of one plane", folder / file))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 planes, twice")
    parser.add_argument("--row", nargs=3, metavar=("KIND", "NAME", "FILE"), help="for itself")
    asked = parser.parse_args()
    repeats = 2 if asked.quick else 5
    if asked.row:
        kind, name, file = asked.row
        print(json.dumps(measured(kind, name, Path(file), repeats)))
        return
    depth, results = 100 if asked.quick else 400, []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        np.save(folder / "volume.npy", volume(depth))
        for what, kind, name, file in rows(folder):
            command = [sys.executable, __file__, "--row", kind, name, str(file)]
            command += ["--quick"] if asked.quick else []
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = {"what": what, "who": name, **json.loads(done.stdout.splitlines()[-1])}
            results.append(row)
            size = f"{row['bytes'] / 1e6:6.1f} MB file"
            print(
                f"{what:18} {name:18} {row['seconds']:7.3f} s   "
                f"peak {row['peak_mb']:5} MB   {size}",
                flush=True,
            )
    if not asked.quick:
        RESULTS.write_text(json.dumps({"planes": depth, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
