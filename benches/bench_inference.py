"""An exported network beside PyTorch, and `predict BUNDLE` on a folder of DICOM radiographs.

    python benches/bench_inference.py [--quick] [--only networks|folder] [--count 1000]

networks: ResNet-50, one picture of 224 px × 3 channels, batches of 16, on all cores. Each way
computes in a process of its own; the median of the batches of SECONDS counts, after two to warm
up. Answers are compared with PyTorch's first. Memory is the peak of the process above its
imports, network included.

folder: COUNT radiographs of 1024 × 1024 (phantoms, 12 bits, not compressed, each with its own
UIDs and noise), files in the page cache. Reading alone is indexing, reading and preparing with
the network left out; the network alone gets as many prepared pictures. `predict` does both and
starts, checks and writes besides. The goal is 1.1 × the slower of the two.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "inference.json"
BATCH, SIDE, SECONDS = 16, 224, 12.0
WAYS = ("torch fp32", "torch channels-last", "onnxruntime fp32", "openvino fp32", "openvino int8")
DISTINCT = 40  # phantoms that the copies are made from
PLAN = {
    "model.name": "resnet50",
    "preprocessing.size": (SIDE, SIDE),
    "training.epochs": 1,
    "training.batch": 8,
    "training.precision": "fp32",
    "training.memory_format": "channels-last",
    "data.min_per_class": 0,
    "audit.near": "off",
    "evaluation.resamples": 100,
}


def peak() -> float:
    """MB of this process so far; the system's own count also knows the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def pictures() -> np.ndarray:
    """Prepared pictures, (B, C, D, Y, X) in [0, 1]."""
    return np.random.default_rng(0).random((BATCH, 3, 1, SIDE, SIDE)).astype(np.float32)


def network() -> Any:
    """The run's graph without training: normalisation and the network."""
    import torch

    from hounsfield.bundle.graph import Graph
    from hounsfield.models import load
    from hounsfield.models.contract import Shape
    from hounsfield.plan.schema import Plan

    torch.manual_seed(0)
    kind = load("resnet50")
    settings = {"size": (SIDE, SIDE), "colour": True, "mean": (0.5,) * 3, "std": (0.2,) * 3}
    plan = Plan.model_validate({"preprocessing": settings})
    return Graph([kind.build(kind.Settings(), Shape(3, 2, (SIDE, SIDE)))], plan).eval()


def export(folder: Path) -> None:
    """All files that the ways need, and PyTorch's answers."""
    import torch

    from hounsfield.bundle.graph import as_onnx, as_openvino
    from hounsfield.bundle.int8 import quantised

    graph, images = network(), pictures()
    onnx = as_onnx(graph, torch.from_numpy(images[:3]), None)
    with torch.inference_mode():
        np.save(folder / "answers.npy", graph(torch.from_numpy(images), None).numpy())
    given = ((image[None], None) for image in images)
    files = {"model.onnx": onnx}
    files |= dict(zip(("model.xml", "model.bin"), as_openvino(onnx), strict=True))
    files |= dict(zip(("int8.xml", "int8.bin"), quantised(onnx, given, BATCH), strict=True))
    for name, content in files.items():
        (folder / name).write_bytes(content)


def way(name: str, folder: Path, seconds: float) -> dict[str, float]:
    """Images/s, memory and the difference from PyTorch's answers of one way."""
    from hounsfield.spatial.threads import thread_count

    images, before = pictures(), peak()
    runtime, how = name.split()
    if runtime == "torch":
        compute = _torch(how == "channels-last")
        before = peak()
    else:
        from hounsfield.bundle.quiet import keep_quiet
        from hounsfield.bundle.runtimes import RUNTIMES, started

        keep_quiet()
        __import__(runtime)
        before = peak()
        contents = {one: (folder / one).read_bytes() for one in RUNTIMES[runtime].files[how]}
        session = started(runtime, how, contents, thread_count())

        def compute(given: np.ndarray) -> np.ndarray:
            return session(given, None)

    difference = float(np.abs(compute(images) - np.load(folder / "answers.npy")).max())
    return {
        "images_per_second": BATCH / _median(lambda: compute(images), seconds),
        "peak_mb": peak() - before,
        "difference": difference,
    }


def _torch(channels_last: bool) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    from hounsfield.spatial.threads import thread_count

    torch.set_num_threads(thread_count())
    graph = network()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    graph = graph.to(memory_format=layout) if channels_last else graph

    def compute(images: np.ndarray) -> np.ndarray:
        flat = torch.from_numpy(images[:, :, 0]).contiguous(memory_format=layout)
        with torch.inference_mode():
            return np.asarray(graph(flat[:, :, None], None).numpy())

    return compute


def _median(compute: Callable[[], Any], seconds: float) -> float:
    for _ in range(2):
        compute()
    taken: list[float] = []
    while sum(taken) < seconds or len(taken) < 3:
        began = time.perf_counter()
        compute()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def networks(quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        for name in WAYS:
            found[name] = child("way", name, folder, 1.0 if quick else SECONDS)
    base = found["torch fp32"]["images_per_second"]
    for name, one in found.items():
        speed = one["images_per_second"]
        print(
            f"{name:22} {speed:7.1f} images/s {speed / base:6.2f} × torch fp32  "
            f"{one['peak_mb']:6.0f} MB  off by {one['difference']:.1e}"
        )
    return found


def child(what: str, *words: object) -> Any:
    """Run one measurement of this file in a process of its own."""
    command = [sys.executable, __file__, "--child", what, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def radiographs(folder: Path, count: int) -> None:
    """Phantoms' DICOM files, again and again under new UIDs and with noise of their own."""
    import pydicom
    from pydicom.uid import generate_uid

    from hounsfield.catalog.phantoms import chest_xray

    made = chest_xray.Settings(patients=min(count, DISTINCT), images_per_patient=1, size=1024)
    chest_xray.make(folder / "made", made)
    files = sorted((folder / "made").rglob("*.dcm"))
    (folder / "many").mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        one = pydicom.dcmread(files[number % len(files)])
        if one.file_meta.TransferSyntaxUID.is_compressed:
            one.decompress()
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(one, name, generate_uid())
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.PatientID = f"{number:06}"
        pixels = one.pixel_array + rng.integers(0, 4, one.pixel_array.shape, np.uint16)
        one.PixelData = np.minimum(pixels, (1 << one.BitsStored) - 1).astype("<u2").tobytes()
        one.save_as(folder / "many" / f"{number:06}.dcm")


def bundle(folder: Path) -> Path:
    """A ResNet-50 that learned for one epoch, exported."""
    from hounsfield import workflow
    from hounsfield.catalog.phantoms import chest_xray

    settings = chest_xray.Settings(patients=40, images_per_patient=1, size=256, seed=1)
    chest_xray.make(folder / "learn", settings)
    run = workflow.train(folder / "learn", PLAN, out=folder / "run")
    return workflow.export(run, folder / "bundle").path


def reading(path: str, images: str, out: str) -> float:
    """Seconds of indexing, reading and preparing, with the network left out."""
    from hounsfield import workflow
    from hounsfield.bundle.opened import Bundle
    from hounsfield.inference.stream import stream, work_of
    from hounsfield.spatial.threads import thread_count

    opened = Bundle.open(path)
    began = time.perf_counter()
    catalog = workflow.index([images], out).catalog
    shape, threads = opened.manifest.shape, thread_count()
    settings = opened.manifest.preprocessing
    for one in stream(work_of(catalog), settings, shape, workers=threads, ahead=48):
        assert one.prepared is not None
    return time.perf_counter() - began


def computing(path: str, count: str) -> float:
    """Seconds of the network on as many prepared pictures."""
    from hounsfield.bundle.opened import Bundle
    from hounsfield.bundle.opened import computing as started
    from hounsfield.spatial.threads import thread_count

    found = started(Bundle.open(path), thread_count())
    batch = np.repeat(found.bundle.references.prepared[:1], found.batch, axis=0)
    began = time.perf_counter()
    for _ in range(int(count) // found.batch):
        found.outputs(batch, None)
    return (time.perf_counter() - began) * int(count) / (int(count) // found.batch * found.batch)


def predicting(path: str, images: str, out: str) -> float:
    from hounsfield import workflow

    began = time.perf_counter()
    workflow.predict(path, images, out)
    return time.perf_counter() - began


def folder_of(count: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        radiographs(folder, count)
        path = bundle(folder)
        many, seconds = folder / "many", dict[str, list[float]]()
        child("reading", path, many, folder / "warm")  # the page cache, and compiled kernels
        for turn in range(repeats):
            out = folder / f"out{turn}"
            for what, words in (
                ("reading", (path, many, out / "catalog")),
                ("computing", (path, count)),
                ("predicting", (path, many, out / "answers")),
            ):
                seconds.setdefault(what, []).append(child(what, *words))
            shutil.rmtree(out, ignore_errors=True)
    found: dict[str, Any] = {what: min(taken) for what, taken in seconds.items()}
    found["count"] = count
    found["ratio"] = found["predicting"] / max(found["reading"], found["computing"])
    for what in ("reading", "computing", "predicting"):
        print(f"{what:12} {found[what]:7.2f} s  {count / found[what]:7.1f} images/s")
    print(f"predict takes {found['ratio']:.2f} × the slower of the two (goal: 1.1)")
    return found


CHILDREN: dict[str, Callable[..., Any]] = {
    "way": lambda name, folder, seconds: way(name, Path(folder), float(seconds)),
    "reading": reading,
    "computing": computing,
    "predicting": predicting,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second a way, 48 radiographs")
    parser.add_argument("--only", choices=("networks", "folder"))
    parser.add_argument("--count", type=int, default=1000, help="radiographs")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        what, *words = asked.child
        print(json.dumps(CHILDREN[what](*words)))
        return
    found: dict[str, Any] = {}
    if asked.only != "folder":
        found["networks"] = networks(asked.quick)
    if asked.only != "networks":
        count, repeats = (48, 1) if asked.quick else (asked.count, 3)
        found["folder"] = folder_of(count, repeats)
    if not asked.quick and asked.only is None:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
