"""How well can one tell the phantom's pneumonia when told where to look?

For every picture a place is drawn as for a real opacity; in half of them the opacity is there. The
observer gets the place and compares: the box with its surroundings, with the mirrored place of the
same chest, and with the grey of both lungs. A cross-validated classifier (by patient, five folds)
weighs these. Its AUROC is the ceiling for anyone who must also find the place: it should be 0.97.

    python -P tests/long/calibrate_chest_xray.py --pictures 3000

writes tests/long/results/calibrate_chest_xray.json.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from hounsfield.catalog.phantoms import chest_findings
from hounsfield.catalog.phantoms.chest_case import draw_case
from hounsfield.catalog.phantoms.chest_findings import opacity_centre
from hounsfield.catalog.phantoms.chest_render import render
from hounsfield.catalog.phantoms.chest_xray import Settings

RESULT = Path(__file__).parent / "results" / "calibrate_chest_xray.json"


def look(grey: np.ndarray, x: float, y: float, radius: tuple[float, float]) -> list[float]:
    """Mean and spread under a soft window at the place, in its ring, and their difference."""
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    q = ((columns - x) / radius[0]) ** 2 + ((rows - y) / radius[1]) ** 2
    inner = np.exp(-1.5 * q)
    ring = np.exp(-8 * (np.sqrt(q) - 1.45) ** 2)
    mean = float((inner * grey).sum() / max(inner.sum(), 1e-9))
    around = float((ring * grey).sum() / max(ring.sum(), 1e-9))
    spread = float(np.sqrt((inner * (grey - mean) ** 2).sum() / max(inner.sum(), 1e-9)))
    return [mean, around, mean - around, spread]


def case(patient: int, size: int, seed: int) -> tuple[list[float], int, float]:
    """Features, truth and strength of one picture."""
    settings = Settings(seed=seed, size=size, prevalence=1.0, images_per_patient=1)
    exposure = draw_case(patient, settings)[1][0].exposure
    present = patient % 2
    picture = render(exposure, opacities=bool(present))
    grey = picture.pixels.astype(np.float64) / 4095
    grey = grey.reshape(128, size // 128, 128, size // 128).mean(axis=(1, 3))
    projection = exposure.pose.projection
    step = 128 / size
    features: list[float] = []
    opacities = exposure.findings.opacities
    best: list[float] = []
    for opacity in opacities:  # the observer knows every place and reports the most suspicious
        x, y = opacity_centre(opacity, exposure.thorax, exposure.pose)
        scale = projection.pixels_per_mm(10) * step
        radius = (opacity.radius[0] * scale, opacity.radius[1] * scale)
        here, there = (projection.points(s * x, y, 10.0) * step for s in (1, -1))
        own, other = look(grey, *here, radius), look(grey, *there, radius)
        features = [*own, *other, own[0] - other[0], own[2] - other[2]]
        features += [opacity.side, opacity.across, opacity.down, *radius]
        if not best or features[2] > best[2]:
            best = features
    lung = np.percentile(grey[24:90, 16:112], [5, 25, 50, 75])
    strength = max(o.filled for o in opacities)
    return [*best, *lung, len(opacities)], present, strength


def main() -> None:
    """Run the observer and file the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=4711)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    work = partial(case, size=options.size, seed=options.seed)
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        rows = list(pool.map(work, range(options.pictures), chunksize=16))
    features = np.array([row[0] for row in rows])
    truth, strength = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    linear = make_pipeline(
        QuantileTransformer(n_quantiles=100, output_distribution="normal"),
        LinearDiscriminantAnalysis(),
    )
    boosted = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, random_state=0)
    scores = {
        name: cross_val_predict(model, features, truth, cv=folds, method="decision_function")
        for name, model in (("linear", linear), ("boosted", boosted))
    }
    result: dict[str, object] = {
        "pictures": options.pictures,
        "size": options.size,
        "seed": options.seed,
        "faint_share": chest_findings.FAINT_SHARE,
        "faint": chest_findings.FAINT,
        "plain": chest_findings.PLAIN,
    }
    both = sum((s - s.mean()) / s.std() for s in scores.values())
    for name, score in {**scores, "both": both}.items():
        result[f"auroc_{name}"] = round(float(roc_auc_score(truth, score)), 4)
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.3), (0.3, 1)):
        kept = (truth == 0) | ((strength >= low) & (strength < high))
        if truth[kept].sum() > 5:
            result[f"auroc_filled_{low}_{high}"] = round(roc_auc_score(truth[kept], both[kept]), 4)
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
