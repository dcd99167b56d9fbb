"""Does a network need a notion of place? Fully connected against convolutions, on digits.

    python examples/digits/digits.py --out runs/digits
    python examples/digits/digits.py FOLDER --out runs/kaggle     Kaggle's train.csv and test.csv

Both networks are trained on one split for as many epochs; the difference on the test part is
paired, with its interval. Each run's report shows the confusion and the worst mistakes. Where the
folder has a test.csv without labels, the better network on validation data fills in submission.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import hounsfield as hf
from hounsfield.evaluation.record import Evaluation
from hounsfield.reports.comparison import Comparison, print_comparison, write
from hounsfield.run import Run
from hounsfield.workflow.arms import train_arms

NETWORKS = {"fully-connected": "simple-nn", "convolutions": "cnn"}
SHARED = {"training.epochs": 12, "data.seed": 0, "training.seed": 0, "audit.near": "off"}


def study(data: str, out: Path, shared: dict[str, Any]) -> dict[str, Run]:
    """Both runs, and compare.html beside them: convolutions against fully connected."""
    arms = {name: {**shared, "model.name": network} for name, network in NETWORKS.items()}
    runs = train_arms(data, arms, out)
    paths = [runs["convolutions"].path, runs["fully-connected"].path]
    compared = Comparison.of_runs(paths, hf.compare(paths))
    print_comparison(compared)
    print(write(compared, out / "compare.html"))  # noqa: T201
    return runs


def submit(runs: dict[str, Run], images: Path, out: Path) -> Path:
    """The submission of the network that was better on validation data."""
    best = max(runs.values(), key=lambda run: Evaluation.load(run.evaluation("val")).first().value)
    hf.predict(best.path, images, out)
    return out / "submission.csv"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("data", nargs="?", default="dataset:digits")
    asked.add_argument("--out", type=Path, default=Path("runs/digits"))
    asked.add_argument("--epochs", type=int, default=SHARED["training.epochs"])
    given = asked.parse_args()
    runs = study(given.data, given.out, {**SHARED, "training.epochs": given.epochs})
    images = Path(given.data) / "test.csv"
    if images.is_file():
        print(submit(runs, images, given.out / "submission"))  # noqa: T201


if __name__ == "__main__":
    main()
