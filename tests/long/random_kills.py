"""Runs killed at random moments and resumed: are their predictions those of an unhurt run?

python tests/long/random_kills.py [--rounds 20] [--seed 0] [--out tests/long/results/…]

Each round trains two folds of two seeds on small made-up pictures, sends SIGKILL after a random
time, resumes, kills again (up to three times), then lets it end and compares predictions.csv
byte for byte. The time of a kill is drawn from the seed; where in the work it falls is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
from stopping import Children, predictions

from hounsfield import workflow
from hounsfield.run import Run

PLAN = {
    "data.min_per_class": 0,
    "audit.near": "off",
    "model.settings.widths": (4, 8),
    "model.settings.blocks": (1, 1),
    "training.epochs": 4,
    "training.batch": 16,
    "training.folds": 2,
    "training.seeds": 2,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
}
MOST_KILLS = 3
RESULT = Path(__file__).parent / "results/random_kills.json"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results/random_kills.json"
    )
    asked = parser.parse_args()
    children = Children()
    with tempfile.TemporaryDirectory() as folder:
        catalog = _catalog(Path(folder))
        expected, seconds = _unhurt(children, catalog, Path(folder))
        rng = np.random.default_rng(asked.seed)
        rounds = [
            _round(
                children, catalog, Path(folder) / f"round{n}", rng.uniform(0, seconds, MOST_KILLS)
            )
            for n in range(asked.rounds)
        ]
    children.close()
    same = sum(found == expected for found, _ in rounds)
    kills = Counter(status for _, statuses in rounds for status in statuses)
    result = {
        "rounds": asked.rounds,
        "seed": asked.seed,
        "the same bytes": same,
        "kills": sum(kills.values()),
        "killed while": dict(sorted(kills.items())),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(same != asked.rounds)


def _catalog(folder: Path) -> Path:
    rng = np.random.default_rng(7)
    arrays: dict[str, Any] = {}
    for part, size in (("train", 60), ("val", 30), ("test", 40)):
        labels = rng.permutation(np.arange(size) % 3 == 0).astype(np.uint8)
        pixels = rng.normal(100, 20, (size, 12, 12)) + 15.0 * labels[:, None, None]
        arrays[f"{part}_images"] = np.clip(pixels, 0, 255).astype(np.uint8)
        arrays[f"{part}_labels"] = labels[:, None]
    np.savez(folder / "data.npz", **arrays)
    workflow.index([folder / "data.npz"], folder / "catalog")
    return folder / "catalog"


def _unhurt(children: Children, catalog: Path, folder: Path) -> tuple[dict[str, bytes], float]:
    """The predictions to compare with, and how long a run takes here."""
    out = folder / "unhurt"
    _train(children, catalog, folder / "warm", folder)
    began = time.monotonic()
    assert _train(children, catalog, out, folder) == 0, (folder / "log").read_text()
    return predictions(Run(out)), time.monotonic() - began


def _train(children: Children, catalog: Path, out: Path, folder: Path, **more: Any) -> int:
    job = {"verb": "train", "arguments": [catalog, PLAN], "keywords": {"out": str(out)}}
    return children.run(job | more, folder / "log")


def _round(
    children: Children, catalog: Path, out: Path, times: np.ndarray
) -> tuple[dict[str, bytes], list[str]]:
    """The predictions in the end, and what the run was at when it was killed."""
    statuses: list[str] = []
    code = _train(children, catalog, out, out.parent, seconds=float(times[0]))
    for seconds in (*times[1:], None):
        if code == 0:
            break
        statuses.append(_status(out))
        job: dict[str, Any] = {"verb": "resume", "arguments": [out]}
        if statuses[-1] == "nothing":
            code = _train(children, catalog, out, out.parent, **_kill(seconds))
        elif statuses[-1] == "not begun":
            again = {"out": str(out), "overwrite": True}
            job = {"verb": "train", "arguments": [catalog, PLAN], "keywords": again}
            code = children.run(job | _kill(seconds), out.parent / "log")
        else:
            code = children.run(job | _kill(seconds), out.parent / "log")
    assert code == 0, (out.parent / "log").read_text()
    return predictions(Run(out)), statuses


def _kill(seconds: float | None) -> dict[str, float]:
    return {} if seconds is None else {"seconds": float(seconds)}


def _status(out: Path) -> str:
    if not (out / "run.json").exists():
        return "nothing"
    begun = (workflow.beside_run(out) / "request.json").exists()
    return Run(out).status if begun else "not begun"


if __name__ == "__main__":
    main()
