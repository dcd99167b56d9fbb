"""Resampling of a CT of 400×512×512 int16, side by side: time, peak memory, equal voxels.

python benches/bench_resample.py [--quick] [--ours]

- in plane: spacing (0.8, 0.8, 1.5) → 1.5 mm, as most CT is; volume: (0.8, 0.8, 1.0) → 1.5 mm;
- oblique: a grid of the same size turned by 10° about two axes.
Each candidate runs in a process of its own with 2 threads, after its imports, a first call on a
small volume (compiling) and the making of the input. The best of three calls counts; peers' cubic
is called once. The processor time of all threads stands beside, which other work on the machine
disturbs less. All outputs are compared with the first candidate's on every fifth voxel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "resample.json"
THREADS, SLICES, QUICK = 2, 400, 40
SPACING = {"in plane": (0.8, 0.8, 1.5), "volume": (0.8, 0.8, 1.0), "oblique": (0.8, 0.8, 1.5)}
CASES = [  # which grid, order, who
    ("in plane", 1, ("hounsfield", "simpleitk", "torch", "scipy")),
    ("in plane", 3, ("hounsfield", "simpleitk", "scipy")),
    ("volume", 1, ("hounsfield", "simpleitk", "scipy")),
    ("volume", 3, ("hounsfield", "simpleitk", "scipy")),
    ("oblique", 0, ("hounsfield", "simpleitk")),
    ("oblique", 1, ("hounsfield", "simpleitk")),
    ("oblique", 3, ("hounsfield", "simpleitk")),
]
Work = Callable[[], np.ndarray]


def scan(slices: int) -> np.ndarray:
    """A body, smooth, with noise: (Z, Y, X) int16 HU."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512] / 255.5 - 1
    body = 1040 * np.exp(-((1.3 * x**4 + 2 * y**4) ** 4)) - 1000
    out = np.empty((slices, 512, 512), np.int16)
    for z in range(slices):
        rings = 150 * np.sin(20 * x + 0.1 * z) * np.cos(17 * y)
        out[z] = body + rings + rng.standard_normal((512, 512), np.float32) * 20
    return out


def grids(where: str, slices: int) -> tuple[np.ndarray, tuple[int, int, int], np.ndarray]:
    """The affine of the scan, and shape (z, y, x) and affine of the new grid."""
    spacing = SPACING[where]
    affine = np.diag([*spacing, 1.0])
    if where == "oblique":
        turn = np.eye(4)
        c, s = np.cos(np.pi / 18), np.sin(np.pi / 18)
        about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        turn[:3, :3] = about_z @ about_x
        middle = affine[:3, :3] @ [255.5, 255.5, (slices - 1) / 2]
        turn[:3, 3] = middle - turn[:3, :3] @ middle
        return affine, (slices, 512, 512), turn @ affine
    z, y, x = (round(n * mm / 1.5) for n, mm in zip((slices, 512, 512), spacing[::-1], strict=True))
    return affine, (z, y, x), np.diag([1.5, 1.5, 1.5, 1.0])


def ours(array: np.ndarray, where: str, order: int) -> Work:
    from hounsfield.geometry import Patient
    from hounsfield.image import Image
    from hounsfield.spatial import Grid, resample, threads

    affine, shape, new = grids(where, len(array))
    image, grid = Image(array[None], Patient(affine)), Grid(shape, Patient(new))

    def work() -> np.ndarray:
        with threads(THREADS):
            return resample(image, grid=grid, order=order, fill=-1000).array[0]

    return work


def simpleitk(array: np.ndarray, where: str, order: int) -> Work:
    import SimpleITK

    sitk = SimpleITK

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
    affine, shape, new = grids(where, len(array))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(np.diag(affine)[:3].tolist())
    sizes = np.linalg.norm(new[:3, :3], axis=0)
    how = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}[order]
    kind = sitk.sitkFloat32 if order else sitk.sitkInt16

    def work() -> np.ndarray:
        moved = sitk.Resample(
            image, shape[::-1], sitk.Transform(), how, new[:3, 3].tolist(), sizes.tolist(),
            (new[:3, :3] / sizes).ravel().tolist(), -1000.0, kind,
        )  # fmt: skip
        return sitk.GetArrayViewFromImage(moved).copy()

    return work


def scipy(array: np.ndarray, where: str, order: int) -> Work:
    from scipy import ndimage

    affine, shape, new = grids(where, len(array))
    steps = (np.diag(new) / np.diag(affine))[2::-1]

    def work() -> np.ndarray:
        return ndimage.affine_transform(
            array, steps, output_shape=shape, output=np.float32, order=order, mode="mirror"
        )

    return work


def torch(array: np.ndarray, where: str, order: int) -> Work:
    """`grid_sample` (`interpolate` knows no spacing), on a float copy."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(THREADS)
    affine, shape, new = grids(where, len(array))
    steps = np.diag(new)[:3] / np.diag(affine)[:3]
    line = [
        torch.arange(n) * (2 * step / (old - 1)) - 1
        for n, step, old in zip(shape[1:], steps[1::-1], array.shape[1:], strict=True)
    ]
    y, x = torch.meshgrid(*line, indexing="ij")
    at = torch.stack([x, y], -1).float()[None]

    def work() -> np.ndarray:
        volume = torch.from_numpy(array)[None].float()  # slices as channels: z is kept here
        return functional.grid_sample(volume, at, align_corners=True)[0].numpy()

    return work


CANDIDATES = {"hounsfield": ours, "simpleitk": simpleitk, "scipy": scipy, "torch": torch}


def memory(field: str) -> float:
    """MB of this process: VmRSS, or VmHWM, its peak. Linux only."""
    text = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) / 1024 for row in text.splitlines() if row.startswith(field))


def child(name: str, where: str, order: int, slices: int, out: Path) -> None:
    CANDIDATES[name](scan(8), where, order)()
    array = scan(slices)
    work = CANDIDATES[name](array, where, order)
    base = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    seconds, cpu = [], []
    for _ in range(3 if name == "hounsfield" or order < 3 else 1):
        start, spent = time.perf_counter(), time.process_time()
        result = work()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
        if len(seconds) == 1:
            np.save(out, result[::5, ::5, ::5])
            size = result.nbytes / 2**20
        del result
    peak = memory("VmHWM") - base
    times = {"seconds": min(seconds), "cpu": min(cpu)}
    print(json.dumps({**times, "beside_input_mb": peak, "output_mb": size}))


def measured(where: str, order: int, names: tuple[str, ...], slices: int) -> dict[str, object]:
    """Each candidate in its own process; raises where they do not do the same work."""
    found: dict[str, object] = {}
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            out = Path(folder) / f"{name}.npy"
            command = [sys.executable, __file__, "--child", name, where, order, slices, out]
            got = subprocess.run(map(str, command), capture_output=True, text=True, check=False)
            if got.returncode:
                raise SystemExit(f"{name}: {got.stderr[-2000:]}")
            found[name] = json.loads(got.stdout.splitlines()[-1])
            values = np.load(out).astype(np.float64)
            first = values if first is None else first
            apart = np.abs(values - first)
            if order == 0:  # a place between two voxels may go either way
                share = float((apart > 0).mean())
                if share > 1e-3:
                    raise SystemExit(f"{where}, order 0: {name} differs in {share:.2%} of voxels")
            elif apart.max() > 0.02:
                raise SystemExit(f"{where}, order {order}: {name} is {apart.max():.3g} HU apart")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} slices instead of {SLICES}")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, where, order, slices, out = options.child
        child(name, where, int(order), int(slices), Path(out))
        return
    slices = QUICK if options.quick else SLICES
    rows = {}
    print(
        f"{'grid':10}{'order':>6}{'':14}{'seconds':>9}{'ratio':>8}{'CPU s':>8}{'ratio':>8}", end=""
    )
    print(f"{'beside input':>14}{'output':>9}")
    for where, order, names in CASES:
        found = measured(where, order, names[:1] if options.ours else names, slices)
        mine = found["hounsfield"]["seconds"]
        for name, got in found.items():
            ratio = got["seconds"] / mine
            print(
                f"{where:10}{order:>6}  {name:12}{got['seconds']:>9.3f}{ratio:>7.1f}x"
                f"{got['cpu']:>8.2f}{got['cpu'] / found['hounsfield']['cpu']:>7.1f}x"
                f"{got['beside_input_mb']:>11.0f} MB{got['output_mb']:>6.0f} MB",
                flush=True,
            )
        rows[f"{where}, order {order}"] = found
    if not options.ours:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps({"slices": slices, "cases": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
