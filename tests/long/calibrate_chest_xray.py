"""How well can one tell the phantom's pneumonia when told where to look?

For every picture a place is drawn as for a real opacity; in half of them the opacity is there. The
observer knows place and outline of what may be there, but neither its strength nor its texture,
and compares the place with its surroundings, with the mirrored place of the same chest and with
the grey of both lungs. A cross-validated classifier (one picture a patient, five folds) weighs
these. Its AUROC is the ceiling for anyone who must also find the place: it should be 0.97.

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
from scipy.ndimage import gaussian_filter
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from hounsfield.catalog.phantoms import chest_findings
from hounsfield.catalog.phantoms.chest_case import draw_case
from hounsfield.catalog.phantoms.chest_render import render
from hounsfield.catalog.phantoms.chest_xray import Settings

RESULT = Path(__file__).parent / "results" / "calibrate_chest_xray.json"


def small(pixels: np.ndarray) -> np.ndarray:
    """Grey from 0 to 1 at 128 × 128."""
    step = pixels.shape[0] // 128
    return pixels.reshape(128, step, 128, step).mean(axis=(1, 3)) / 4095


def weighted(weight: np.ndarray, grey: np.ndarray) -> float:
    """Mean grey under a weight."""
    return float((weight * grey).sum() / max(weight.sum(), 1e-9))


def case(patient: int, size: int, seed: int) -> tuple[list[float], int, float]:
    """Features, truth and strength of one picture."""
    settings = Settings(seed=seed, size=size, prevalence=1.0, images_per_patient=1)
    exposure = draw_case(patient, settings)[1][0].exposure
    ill, well = small(render(exposure).pixels), small(render(exposure, opacities=False).pixels)
    present = patient % 2
    grey = ill if present else well
    outline = gaussian_filter(np.clip(ill - well, 0, None), 4)
    template = np.clip(outline / outline.max() - 0.3, 0, None)
    # The surroundings: what a wide blur of the template reaches beyond it.
    ring = gaussian_filter(template, 8) * (outline < 0.2 * outline.max())
    middle = round(float(exposure.pose.projection.points(0.0, 150.0, 10.0)[0]) * 128 / size)
    mirror = np.clip(2 * middle - np.arange(128), 0, 127)
    own, other = weighted(template, grey), weighted(template, grey[:, mirror])
    around, around_other = weighted(ring, grey), weighted(ring, grey[:, mirror])
    spread = np.sqrt(weighted(template, (grey - own) ** 2))
    spread_other = np.sqrt(weighted(template, (grey[:, mirror] - other) ** 2))
    places = exposure.findings.opacities
    lung = np.percentile(grey[24:90, 16:112], [5, 25, 50, 75])
    features = [own, other, around, around_other, own - other, own - around]
    features += [own - around - other + around_other, spread, spread_other]
    features += [places[0].side, places[0].across, places[0].down, len(places), *lung]
    return features, present, max(o.filled for o in places)


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
