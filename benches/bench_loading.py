"""DICOM files → training tensors: the first epoch, cached epochs, and the memory of all processes.

python benches/bench_loading.py [--quick]

Radiographs of 1024², 12 bits, are clipped to percentiles, scaled to [0, 1], resized to 224²
with antialiasing and handed out in shuffled batches of 32, by
- hounsfield: `Cache.build` (hashes known from the index), then `Cache.images`;
- plain: pydicom and torchvision in a Dataset, a DataLoader with 2 workers;
- MONAI: `PersistentDataset`, a DataLoader with 2 workers.
Each runs in a process of its own after its imports; the time of starting workers is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "loading.json"
SIZE, BATCH, WORKERS, EPOCHS = (224, 224), 32, 2, 4
Epochs = Callable[[int], Iterator[np.ndarray]]  # an epoch's number -> its batches (B, 1, Y, X)


def written(folder: Path, count: int) -> list[Path]:
    """Radiographs as plain DICOM files: smooth bodies with noise, 12 bits in 16."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1024, :1024] / 1023 - 0.5
    paths = []
    for number in range(count):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = (
            meta.MediaStorageSOPClassUID,
            meta.MediaStorageSOPInstanceUID,
        )
        data.Modality, data.PhotometricInterpretation = "CR", "MONOCHROME2"
        data.Rows = data.Columns = 1024
        data.SamplesPerPixel, data.PixelRepresentation = 1, 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelSpacing = [0.2, 0.2]
        body = 2500 - 1500 * np.exp(-((np.abs(x) - 0.2 - 0.02 * rng.normal()) ** 2 + y**2) / 0.03)
        noisy = body + 300 * x + rng.normal(0, 40, body.shape)
        data.PixelData = np.clip(noisy, 0, 4095).astype("<u2").tobytes()
        paths.append(folder / f"{number:04}.dcm")
        pydicom.dcmwrite(paths[-1], data, enforce_file_format=True)
    return paths


def ours(paths: list[Path], scratch: Path) -> Epochs:
    from hounsfield.formats import read
    from hounsfield.formats.contract import Source
    from hounsfield.preprocessing.cache import Cache, Item
    from hounsfield.preprocessing.contract import Preprocessing
    from hounsfield.preprocessing.prepare import prepare

    prepare(read(paths[0]), Preprocessing(size=SIZE))  # loading decoder and kernels: not measured
    items = [Item(p.name, p.name, (Source.of(p),)) for p in paths]
    keys = np.array([item.key for item in items])
    caches: list[Cache] = []

    def epoch(number: int) -> Iterator[np.ndarray]:
        if not caches:
            built = Cache.build(items, Preprocessing(size=SIZE), scratch, workers=WORKERS)
            caches.append(built.cache)
        order = np.random.default_rng(number).permutation(len(keys))
        for start in range(0, len(keys), BATCH):
            yield caches[0].images(list(keys[order[start : start + BATCH]]))[:, :, 0]

    return epoch


class Plain:
    """What a careful user writes: decode, clip, scale, resize for every item of every epoch."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> object:
        import pydicom
        import torch
        from torchvision.transforms.v2 import functional

        data = pydicom.dcmread(self.paths[index])
        slope, intercept = data.get("RescaleSlope", 1), data.get("RescaleIntercept", 0)
        values = data.pixel_array.astype(np.float32) * slope + intercept
        low, high = np.percentile(values, (0.5, 99.5))
        unit = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
        return functional.resize(torch.from_numpy(unit)[None], list(SIZE), antialias=True)


def plain(paths: list[Path], scratch: Path) -> Epochs:
    import pydicom
    import torchvision.transforms.v2  # noqa: F401  # imports are not measured
    from torch.utils.data import DataLoader

    pydicom.dcmread(paths[0]).pixel_array  # noqa: B018  # nor is loading the decoder
    loader = DataLoader(Plain(paths), BATCH, shuffle=True, num_workers=WORKERS)
    return lambda number: (batch.numpy() for batch in loader)


def monai(paths: list[Path], scratch: Path) -> Epochs:
    from monai.data import DataLoader, PersistentDataset
    from monai.transforms import (
        Compose,
        EnsureChannelFirst,
        LoadImage,
        Resize,
        ScaleIntensityRangePercentiles,
    )

    steps = Compose(
        [
            LoadImage(reader="PydicomReader", image_only=True),
            EnsureChannelFirst(),
            ScaleIntensityRangePercentiles(0.5, 99.5, 0, 1, clip=True),
            Resize(SIZE, mode="area"),
        ]
    )
    data = PersistentDataset([str(path) for path in paths], steps, cache_dir=scratch)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=WORKERS)
    return lambda number: (batch.numpy().swapaxes(2, 3) for batch in loader)  # it gives (x, y)


CANDIDATES = {"hounsfield": ours, "plain": plain, "monai": monai}


def child(name: str, folder: Path, scratch: Path) -> None:
    """Run one candidate: seconds of each epoch, and what its pixels are like."""
    import torch

    torch.set_num_threads(WORKERS)
    epoch = CANDIDATES[name](sorted(folder.glob("*.dcm")), scratch)
    seconds, cpu, total, count = [], [], 0.0, 0
    for number in range(EPOCHS):
        start, spent = time.perf_counter(), sum(os.times()[:4])
        for batch in epoch(number):
            torch.from_numpy(batch)
            count += len(batch)
            if number == 0:
                total += float(batch.astype(np.float64).sum((1, 2, 3)).sum())
        seconds.append(time.perf_counter() - start)
        cpu.append(sum(os.times()[:4]) - spent)
    mean = total / (count / EPOCHS) / (SIZE[0] * SIZE[1])
    images = count // EPOCHS
    print(json.dumps({"seconds": seconds, "cpu": cpu, "images": images, "mean": mean}))


def watched(name: str, folder: Path) -> dict[str, float]:
    """A candidate in a process of its own, and the peak of its processes' proportional memory."""
    import psutil

    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, __file__, "--child", name, str(folder), scratch]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peak, done = [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.1):
                used = 0
                try:
                    root = psutil.Process(process.pid)
                    for one in (root, *root.children(recursive=True)):
                        used += one.memory_full_info().pss
                except psutil.Error:
                    continue  # it ended while we looked
                peak[0] = max(peak[0], used / 2**20)

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        done.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{name} failed")
    result = json.loads(output.splitlines()[-1])
    images, first, *later = result["images"], *result["seconds"]
    return {
        "first": images / first,
        "cached": images / min(later),
        "first_cpu_ms": 1000 * result["cpu"][0] / images,
        "cached_cpu_ms": 1000 * min(result["cpu"][1:]) / images,
        "peak_mb": peak[0],
        "mean": result["mean"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="48 images instead of 256")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, folder, scratch = options.child
        child(name, Path(folder), Path(scratch))
        return
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), 48 if options.quick else 256)
        found = {name: watched(name, Path(folder)) for name in CANDIDATES}
    means = [result["mean"] for result in found.values()]
    if max(means) - min(means) > 0.005:
        raise SystemExit(f"the candidates do not do the same work: mean pixels {means}")
    print(f"{'':12}{'first epoch':>14}{'cached':>14}{'CPU an image':>22}{'peak memory':>14}")
    for name, result in found.items():
        rates = f"{result['first']:>10.0f} i/s{result['cached']:>10.0f} i/s"
        cpu = f"{result['first_cpu_ms']:>11.2f} {result['cached_cpu_ms']:>7.2f} ms"
        print(f"{name:12}{rates}{cpu}{result['peak_mb']:>11.0f} MB")
    mine = found["hounsfield"]
    for name in ("plain", "monai"):
        first, cached = (mine[key] / found[name][key] for key in ("first", "cached"))
        print(f"against {name}: first epoch {first:.1f}x, cached {cached:.1f}x")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
