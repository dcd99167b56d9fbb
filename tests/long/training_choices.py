"""What a default plan should be, by cross-validation on PneumoniaMNIST's train and val parts.

    python tests/long/training_choices.py --real-data DIR --work WORK     half an hour on two cores

The test part is not opened. Of five folds, one is held out, 524 pictures of the next choose the
threshold, the rest train for 12 epochs. What is held out is scored as it is, and as seven other
scanners might have shown it: two gammas, less contrast, brighter, blurred, turned, enlarged.
Balanced accuracy is given for three thresholds: Youden's, smoothed (what a run does); the best
step of the sample's own curve; 0.5. Runs that lie in WORK already are not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from scipy import ndimage
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

import hounsfield as hf
from hounsfield.metrics.threshold import choose_threshold
from hounsfield.run import Run

RESULTS = Path(__file__).parent / "results" / "training_choices.json"
FOLDS, SCORED, CHOOSING, EPOCHS = 5, (0, 1), 524, 12
MIRRORED = {"augmentation.flip": True, "evaluation.mirror": True}
STRONGER = {
    "augmentation.rotate": 17.0,
    "augmentation.shift": 0.15,
    "augmentation.brightness": 0.4,
    "augmentation.contrast": 0.3,
    "augmentation.gamma": 0.4,
}
WEIGHTS, EVEN = {"training.balance": "weights"}, {"training.balance": "none"}
PLANS = {
    "no weights": EVEN,
    "class weights": WEIGHTS,
    "class weights, mirrored": {**WEIGHTS, **MIRRORED},
    "class weights, stronger augmentation": {**WEIGHTS, **STRONGER},
    "class weights, both": {**WEIGHTS, **MIRRORED, **STRONGER},
}


def shown(images: np.ndarray, scanner: int) -> np.ndarray:
    """(N, Y, X) 8-bit pictures as another scanner might show them; 0: as they are."""
    x = images.astype(np.float32) / 255
    mean, centre = x.mean((1, 2), keepdims=True), 13.5 * 0.12
    zoom = np.diag([1, 0.88, 0.88])
    changed = [
        lambda: x,
        lambda: x**0.7,
        lambda: x**1.4,
        lambda: (x - mean) * 0.7 + mean,
        lambda: x + 0.1,
        lambda: ndimage.gaussian_filter(x, (0, 0.6, 0.6)),
        lambda: ndimage.rotate(x, 8, axes=(1, 2), reshape=False, order=1, mode="nearest"),
        lambda: ndimage.affine_transform(x, zoom, (0, centre, centre), order=1, mode="nearest"),
    ]
    return (np.clip(changed[scanner](), 0, 1) * 255 + 0.5).astype(np.uint8)


def written(source: Path, fold: int, path: Path) -> Path:
    """A fold as a data set of its own; its test part is what is held out, eight times over."""
    data = np.load(source)
    images = np.concatenate([data["train_images"], data["val_images"]])
    labels = np.concatenate([data["train_labels"], data["val_labels"]])
    parts = np.array_split(np.random.default_rng(7).permutation(len(images)), FOLDS)
    held, other = parts[fold], parts[(fold + 1) % FOLDS]
    val = other[:CHOOSING]
    rest = np.setdiff1d(np.arange(len(images)), np.concatenate([held, other]))
    train = np.concatenate([rest, other[CHOOSING:]])
    arrays = {"test_images": np.concatenate([shown(images[held], s) for s in range(8)])}
    arrays["test_labels"] = np.tile(labels[held], (8, 1))
    for name, rows in (("train", train), ("val", val)):
        arrays |= {f"{name}_images": images[rows], f"{name}_labels": labels[rows]}
    np.savez(path, **arrays)
    return path


def scores(run: Run, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probability of a part, in the order of its pictures."""
    table = pl.read_csv(run.predictions(part) / "predictions.csv")
    number = pl.col("image").str.split("/").list.last().cast(pl.Int64)
    table = table.sort(number)
    return table["label"].to_numpy() == 1, table["p_1"].to_numpy()


def judged(run: Run) -> dict[str, float]:
    """AUROC and balanced accuracies of what was held out, as it is and shown otherwise."""
    positive, score = scores(run, "val")
    false_rate, true_rate, at = roc_curve(positive, score)
    thresholds = {
        "smoothed": choose_threshold(positive, score).value,
        "best step": float(at[np.argmax(true_rate - false_rate)]),
        "0.5": 0.5,
    }
    truth, score = (np.array_split(values, 8) for values in scores(run, "test"))
    aurocs = [roc_auc_score(*pair) for pair in zip(truth, score, strict=True)]
    found = {"AUROC": aurocs[0], "AUROC, shifted": float(np.mean(aurocs[1:]))}
    for name, value in thresholds.items():
        right = [balanced_accuracy_score(t, s >= value) for t, s in zip(truth, score, strict=True)]
        found |= {name: right[0], f"{name}, shifted": float(np.mean(right[1:]))}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--real-data", type=Path, default=os.environ.get("REAL_DATA") or None)
    parser.add_argument("--work", type=Path, default=None, help="where runs lie; kept if given")
    asked = parser.parse_args()
    if asked.real_data is None:
        print("TRAINING CHOICES NOT TESTED: give --real-data DIR")
        return
    source = asked.real_data / "pneumoniamnist" / "pneumoniamnist.npz"
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = asked.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for name, plan in PLANS.items():
            each = []
            for fold in SCORED:
                out = work / f"{name.replace(', ', '-').replace(' ', '-')}-{fold}"
                values = {**plan, "training.epochs": EPOCHS, "audit.on_leak": "allow"}
                if not (out / "run.json").exists():
                    hf.train(written(source, fold, work / f"{fold}.npz"), values, out=out)
                each.append(judged(Run(out)))
            found[name] = {key: round(float(np.mean([e[key] for e in each])), 4) for key in each[0]}
            print(name, found[name], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
