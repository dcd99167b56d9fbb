"""Training a classifier at 224 px, from files to weights, beside what a user would run instead.

python benches/bench_classification.py [--quick] [--networks resnet18 resnet50 densenet121]

Grey 8-bit PNG pictures of 320², half of them with a blob, are learned with the same network,
batches of 32 and the same number of epochs by
- hounsfield: the training stage of `hounsfield train`, with its augmentation, cache and probe;
- torchvision: the steps of its reference script (references/classification): ImageFolder,
  RandomResizedCrop, RandomHorizontalFlip, normalise, SGD with momentum, 2 workers;
- MONAI: its classification tutorial's transforms (load, scale, rotate, flip, zoom, resize) and
  Adam, `Dataset` and `DataLoader` with 2 workers.
Images/s are of the epochs after the first; the first, in which ours fills its cache and others
start workers, is given as the seconds to its end. AUROC is on 128 pictures held out. One more
line says what loading and augmentation add to a step on a batch that is ready.
Each runs in a process of its own; memory is the peak of it and its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "classification.json"
SIDE, SIZE, BATCH, WORKERS, HELD_OUT = 320, 224, 32, 2, 128
NETWORKS = ("resnet18", "resnet50", "densenet121")
Found = dict[str, float]


def written(folder: Path, count: int) -> None:
    """PNG pictures in train|test/clean|blob; a blob is faint beside the texture."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(count + HELD_OUT):
        texture = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 12) * 500
        fine = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 1) * 60
        cx, cy = rng.uniform(0.25, 0.75, 2) * SIDE
        blob = 60 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 22**2)) * (number % 2)
        part = "train" if number < count else "test"
        path = folder / part / ("blob" if number % 2 else "clean") / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.clip(128 + texture + fine + blob, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(path)


def ours(data: Path, network: str, epochs: int, scratch: Path) -> Found:
    from hounsfield import workflow
    from hounsfield.evaluation.record import Evaluation

    clock = Clock()
    asked = {
        "model.name": network,
        "preprocessing.size": (SIZE, SIZE),
        "training.batch": BATCH,
        "training.epochs": epochs,
        "training.budget": 600,
        "audit.near": "off",
        "data.min_per_class": 0,
    }
    run = workflow.train(data, asked, out=scratch / "run", watch=clock)
    rows = run.split.cases("train")
    plan = run.resolved.plan.training
    ways = f"{plan.precision}, {plan.memory_format}"
    overall = Evaluation.load(run.evaluation("test")).overall()
    auroc = next(one.value for one in overall if one.metric == "auroc")
    return clock.found(len(rows)) | {"auroc": auroc, "ways": ways}


class Clock:
    """When epochs end."""

    def __init__(self) -> None:
        self.began, self.ends = time.perf_counter(), list[float]()

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        yield

    def tell(self, what: str, done: int, of: int | None) -> None:
        if what.startswith("training"):
            self.end()

    def say(self, sentence: str) -> None:
        pass

    def end(self) -> None:
        self.ends.append(time.perf_counter())

    def found(self, images: int) -> Found:
        each = np.diff(self.ends)
        return {"images/s": images / float(np.median(each)), "first": self.ends[0] - self.began}


def torchvision(data: Path, network: str, epochs: int, scratch: Path) -> Found:
    import torch
    import torchvision.transforms as t
    from torchvision.datasets import ImageFolder

    clock = Clock()
    normal = [t.ToTensor(), t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    varied = t.Compose([t.RandomResizedCrop(SIZE), t.RandomHorizontalFlip(), *normal])
    plain = t.Compose([t.Resize(256), t.CenterCrop(SIZE), *normal])
    loaders = [
        torch.utils.data.DataLoader(
            ImageFolder(data / part, steps), BATCH, shuffle=part == "train", num_workers=WORKERS
        )
        for part, steps in (("train", varied), ("test", plain))
    ]
    made = _torchvision_network(network, 3)
    optimizer = torch.optim.SGD(made.parameters(), 0.02, momentum=0.9, weight_decay=1e-4)
    return _loop(made, optimizer, loaders, epochs, clock)


def monai(data: Path, network: str, epochs: int, scratch: Path) -> Found:
    import torch
    from monai import transforms as m
    from monai.data import DataLoader, Dataset

    clock = Clock()
    first = [m.LoadImaged("image"), m.EnsureChannelFirstd("image"), m.ScaleIntensityd("image")]
    last = [m.Resized("image", (SIZE, SIZE))]
    varied = [
        m.RandRotated("image", range_x=np.pi / 12, prob=0.5, keep_size=True),
        m.RandFlipd("image", spatial_axis=0, prob=0.5),
        m.RandZoomd("image", min_zoom=0.9, max_zoom=1.1, prob=0.5),
    ]
    loaders = []
    for part, steps in (("train", [*first, *varied, *last]), ("test", [*first, *last])):
        files = sorted((data / part).rglob("*.png"))
        items = [{"image": str(path), "label": int(path.parent.name == "clean")} for path in files]
        loaders.append(
            DataLoader(
                Dataset(items, m.Compose(steps)),
                batch_size=BATCH,
                shuffle=part == "train",
                num_workers=WORKERS,
            )
        )
    if network == "densenet121":
        from monai.networks.nets import DenseNet121

        made: Any = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)
    else:
        made = _torchvision_network(network, 1)
    optimizer = torch.optim.Adam(made.parameters(), 1e-4)
    return _loop(made, optimizer, loaders, epochs, clock)


def _torchvision_network(name: str, channels: int) -> Any:
    import torch
    from torchvision import models

    made = getattr(models, name)(num_classes=2)
    if channels == 1 and name.startswith("resnet"):
        made.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return made


def _loop(made: Any, optimizer: Any, loaders: list[Any], epochs: int, clock: Clock) -> Found:
    import torch
    from sklearn.metrics import roc_auc_score

    torch.set_num_threads(os.cpu_count() or 1)
    train, test = loaders
    for _ in range(epochs):
        made.train()
        for batch in train:
            images, truth = _pair(batch)
            loss = torch.nn.functional.cross_entropy(made(images), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clock.end()
    made.eval()
    with torch.inference_mode():
        pairs = [(made(images).softmax(1)[:, 1], truth) for images, truth in map(_pair, test)]
    score, truth = (torch.cat(parts).numpy() for parts in zip(*pairs, strict=True))
    return clock.found(len(train.dataset)) | {"auroc": float(roc_auc_score(truth, score))}


def _pair(batch: Any) -> tuple[Any, Any]:
    if isinstance(batch, dict):
        return batch["image"].as_tensor(), batch["label"]
    return batch[0], batch[1]


def step_overhead(data: Path, network: str, epochs: int, scratch: Path) -> Found:
    """A step with loading and augmentation against the same step on a batch that is ready."""
    import torch

    from hounsfield import workflow
    from hounsfield.training.data import EpochSampler, batches
    from hounsfield.training.learner import Job, Learner
    from hounsfield.training.train import build
    from hounsfield.workflow.training import study_of

    asked = {"model.name": network, "training.epochs": 1, "training.batch": BATCH}
    asked |= {"preprocessing.size": (SIZE, SIZE), "audit.near": "off", "data.min_per_class": 0}
    run = workflow.train(data, asked, out=scratch / "run")
    study = study_of(run)
    plan = run.resolved.plan
    made = build(plan, study.task, study.settings, None).train()
    learner = Learner(made, Job(study.task, study.settings, plan, 0))
    optimizer = torch.optim.AdamW(made.parameters(), 1e-3)

    def learn(batch: Any) -> None:
        losses = study.task.losses(made, batch, None, study.settings)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()

    cases = study.run.split.cases("train")
    dataset = study.dataset(cases, targets=True)
    type(learner).current_epoch = property(lambda self: 0)  # no trainer counts here
    loader = batches(dataset, BATCH, EpochSampler(len(cases), 0))
    raws = [raw for raw in loader if len(raw.rows) == BATCH]
    ready = [learner.batch(raw) for raw in raws]
    learn(ready[0])
    found: Found = {}
    for _ in range(2):  # in turn, the quicker counts: the machine's speed wanders
        began = time.perf_counter()
        for batch in ready:
            learn(batch)
        alone = time.perf_counter() - began
        began = time.perf_counter()
        for raw in loader:
            if len(raw.rows) == BATCH:
                learn(learner.batch(raw))
        whole = time.perf_counter() - began
        found["ready"] = min(found.get("ready", alone), alone)
        found["whole"] = min(found.get("whole", whole), whole)
    return found | {"ratio": found["whole"] / found["ready"]}


ARMS: dict[str, Callable[[Path, str, int, Path], Found]] = {
    "hounsfield": ours,
    "torchvision": torchvision,
    "monai": monai,
    "step": step_overhead,
}


def run_one(arm: str, data: Path, network: str, epochs: int) -> None:
    """In a process of its own: the result as one JSON line, with the peak memory."""
    import resource

    with tempfile.TemporaryDirectory() as scratch:
        found = ARMS[arm](data, network, epochs, Path(scratch))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = WORKERS * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps(found | {"MB": (own + (workers if arm in PEERS else 0)) / 1024}))


PEERS = ("torchvision", "monai")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="resnet18, two short epochs")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        arm, data, network, epochs = asked.one
        run_one(arm, Path(data), network, int(epochs))
        return
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        written(data, 96 if asked.quick else 320)
        for network in NETWORKS[:1] if asked.quick else asked.networks:
            epochs = 2 if asked.quick else 4 if network == "resnet18" else 2
            for arm in ARMS:
                if arm == "step" and network != "resnet18":
                    continue
                command = [sys.executable, __file__, "--one", arm, data, network, epochs]
                made = subprocess.run(
                    [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True
                )
                found[f"{network} {arm}"] = json.loads(made.stdout.splitlines()[-1])
                print(f"{network} {arm}", found[f"{network} {arm}"], flush=True)
            mine = found[f"{network} hounsfield"]["images/s"]
            for peer in PEERS:
                ratio = mine / found[f"{network} {peer}"]["images/s"]
                print(f"{network}: {ratio:.2f} × {peer}", flush=True)
    if not asked.quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
