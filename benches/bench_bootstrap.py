"""Vectorised bootstrap over patients against a plain loop over scikit-learn's metrics.

python benches/bench_bootstrap.py [--cases 10000] [--resamples 2000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import sklearn.metrics as sk

from hounsfield.evaluation import Resampling, estimates
from hounsfield.evaluation.bootstrap import bootstrap
from hounsfield.metrics import Cases, metric

PLAIN: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "f1": lambda y, d, p: sk.f1_score(y, d),
    "balanced_accuracy": lambda y, d, p: sk.balanced_accuracy_score(y, d),
    "mcc": lambda y, d, p: sk.matthews_corrcoef(y, d),
    "auroc": lambda y, d, p: sk.roc_auc_score(y, p),
    "auprc": lambda y, d, p: sk.average_precision_score(y, p),
    "brier": lambda y, d, p: sk.brier_score_loss(y, p),
}


def draw(n: int) -> Cases:
    rng = np.random.default_rng(0)
    truth = (rng.random(n) < 0.3).astype(np.int64)
    p = 1 / (1 + np.exp(-(2 * truth - 1.5 + rng.normal(size=n))))
    decision = (p > 0.5).astype(np.int64)
    patient = rng.integers(0, 2 * n // 3, n)
    return Cases(truth, np.stack([1 - p, p], axis=1), decision, ("no", "yes"), patient)


def plain(name: str, cases: Cases, resamples: int) -> float:
    """Seconds of the loop; what is common to all metrics, the choice of rows, is in it as well."""
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(cases.cluster == k) for k in range(cases.patients)]
    began = time.perf_counter()
    for _ in range(resamples):
        chosen = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        PLAIN[name](cases.truth[chosen], cases.decision[chosen], cases.probability[chosen, 1])
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--plain-resamples", type=int, default=100, help="the loop is scaled up")
    options = parser.parse_args()
    cases, resampling = draw(options.cases), Resampling(options.resamples)
    print(f"{options.cases} cases, {cases.patients} patients, {options.resamples} resamples")
    print(f"{'metric':20} {'plain loop':>12} {'vectorised':>12} {'ratio':>7}")
    for name in PLAIN:
        one = metric(name)
        began = time.perf_counter()
        bootstrap(cases.cluster, lambda w, one=one: one.value(cases, w)[:, None], resampling)
        ours = time.perf_counter() - began
        loop = plain(name, cases, options.plain_resamples)
        loop *= options.resamples / options.plain_resamples
        print(f"{name:20} {loop:10.2f} s {ours:10.2f} s {loop / ours:6.0f}x")
    began = time.perf_counter()
    estimates([metric(name) for name in PLAIN], cases, resampling=resampling)
    print(f"all six with their intervals: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
