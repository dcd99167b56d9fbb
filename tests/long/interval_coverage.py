"""Coverage of the 95 % intervals under a model whose true values are known.

    python tests/long/interval_coverage.py            all cells; table into docs/statistics.md
    python tests/long/interval_coverage.py --quick    a look, nothing is written

n patients have one to three images. A patient is positive with the prevalence; one image in five
draws its label anew, so that a patient may have both. The score is binormal,
s = d * label + sqrt(rho) * patient + sqrt(1 - rho) * image, all normal, rho = 0.5, so the AUROC is
Phi(d / sqrt 2). A case is called positive above d / 2; its probability is the model's posterior.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import integrate, special

from hounsfield.evaluation import Resampling, estimates
from hounsfield.metrics import Cases, metric

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "long" / "results" / "coverage.json"
DOCS = ROOT / "docs" / "statistics.md"
START, END = "<!-- coverage: start -->", "<!-- coverage: end -->"
RHO, REDRAWN, SEED = 0.5, 0.2, 20
CHEAP = ("auroc", "accuracy", "recall")
DRAWN = ("f1", "auprc", "brier")
REPLICATES = {50: (4000, 1000), 100: (4000, 800), 400: (2000, 400)}  # by formula, by bootstrap


@dataclass(frozen=True)
class Cell:
    patients: int
    prevalence: float
    auroc: float

    @property
    def distance(self) -> float:
        return float(np.sqrt(2) * special.ndtri(self.auroc))


CELLS = [Cell(n, p, a) for n in (50, 100, 400) for p in (0.1, 0.5) for a in (0.7, 0.95)]


def draw(cell: Cell, rng: np.random.Generator) -> Cases:
    """One simulated test set."""
    patient = np.repeat(np.arange(cell.patients), rng.integers(1, 4, cell.patients))
    n = len(patient)
    label = (rng.random(cell.patients) < cell.prevalence)[patient]
    label = np.where(rng.random(n) < REDRAWN, rng.random(n) < cell.prevalence, label)
    shared = rng.normal(size=cell.patients)[patient]
    score = cell.distance * label + np.sqrt(RHO) * shared + np.sqrt(1 - RHO) * rng.normal(size=n)
    probability = posterior(cell, score)
    return Cases(
        label.astype(np.int64),
        np.stack([1 - probability, probability], axis=1),
        (score > cell.distance / 2).astype(np.int64),
        ("no", "yes"),
        patient,
    )


def posterior(cell: Cell, score: np.ndarray) -> np.ndarray:
    d = cell.distance
    return special.expit(d * score - d**2 / 2 + special.logit(cell.prevalence))


def truths(cell: Cell) -> dict[str, float]:
    """The values of a test set without end."""
    d, prevalence = cell.distance, cell.prevalence
    found = float(special.ndtr(d / 2))  # sensitivity, and by symmetry specificity
    called = prevalence * found + (1 - prevalence) * (1 - found)

    def normal(x: float) -> float:
        return float(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))

    def precision_by_recall(s: float) -> float:
        tp, fp = prevalence * special.ndtr(d - s), (1 - prevalence) * special.ndtr(-s)
        return float(tp / (tp + fp)) * normal(s - d)

    def squared(s: float) -> float:
        p = float(posterior(cell, np.array(s)))
        return prevalence * normal(s - d) * (1 - p) ** 2 + (1 - prevalence) * normal(s) * p**2

    return {
        "auroc": cell.auroc,
        "accuracy": found,
        "recall": found,
        "f1": 2 * prevalence * found / (prevalence + called),
        "auprc": integrate.quad(precision_by_recall, d - 8, d + 8, limit=200)[0],
        "brier": integrate.quad(squared, -8, d + 8, limit=200)[0],
    }


def measure(cell: Cell, names: tuple[str, ...], replicates: int, seed: int = SEED) -> list[dict]:
    """How often the interval of each metric holds the truth, and misses it on either side."""
    rng = np.random.default_rng([seed, CELLS.index(cell), len(names[0])])
    truth, metrics = truths(cell), [metric(name) for name in names]
    lows, highs = np.full((2, replicates, len(names)), np.nan)
    for row in range(replicates):
        cases = draw(cell, rng)
        found = estimates(metrics, cases, resampling=Resampling(seed=row))
        lows[row], highs[row] = [e.low for e in found], [e.high for e in found]
    results = []
    for i, name in enumerate(names):
        defined = ~np.isnan(lows[:, i])
        low, high = lows[defined, i], highs[defined, i]
        above, below = (low > truth[name]).mean(), (high < truth[name]).mean()
        results.append({
            **asdict(cell),
            "metric": name,
            "truth": round(truth[name], 4),
            "replicates": replicates,
            "undefined": int((~defined).sum()),
            "coverage": round(100 * float(1 - above - below), 1),
            "interval_above": round(100 * float(above), 1),
            "interval_below": round(100 * float(below), 1),
            "width": round(float((high - low).mean()), 3),
        })  # fmt: skip
    return results


def table(results: list[dict]) -> str:
    """The coverages as Markdown, one line a cell; in bold what leaves 93 to 97 %."""
    names = (*CHEAP, *DRAWN)
    titles = ("AUROC", "accuracy", "sensitivity", "F1", "AUPRC", "Brier")
    lines = [
        "| patients | prevalence | AUROC | positive patients | " + " | ".join(titles) + " |",
        "|---|---|---|---|" + "---|" * len(names),
    ]
    for cell in CELLS:
        row = {r["metric"]: r["coverage"] for r in results if _is(r, cell)}
        if not row:
            continue
        texts = [f"{row[n]}" if 93 <= row[n] <= 97 else f"**{row[n]}**" for n in names]
        few = round(cell.patients * cell.prevalence)
        lines.append(
            f"| {cell.patients} | {cell.prevalence} | {cell.auroc} | {few} | "
            + " | ".join(texts) + " |"
        )  # fmt: skip
    return "\n".join(lines)


def _is(result: dict, cell: Cell) -> bool:
    return all(result[key] == value for key, value in asdict(cell).items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()
    jobs = [
        (cell, names, max(50, replicates // 8) if options.quick else replicates)
        for cell in reversed(CELLS)
        for names, replicates in zip((CHEAP, DRAWN), REPLICATES[cell.patients], strict=True)
    ]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(measure, *zip(*jobs, strict=True))
        results = [result for part in done for result in part]
    print(table(results))
    for r in results:
        if not 93 <= r["coverage"] <= 97:
            print({k: v for k, v in r.items() if k != "replicates"})
    print(f"{time.perf_counter() - began:.0f} s")
    if not options.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(r) for r in results)
        RESULTS.write_text(f'{{"seed": {SEED}, "results": [\n{lines}\n]}}\n')
        text = DOCS.read_text()
        head, tail = text.split(START)[0], text.split(END)[1]
        DOCS.write_text(f"{head}{START}\n{table(results)}\n{END}{tail}")


if __name__ == "__main__":
    main()
