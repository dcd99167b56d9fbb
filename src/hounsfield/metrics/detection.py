"""Scores of boxes. A box is (x0, y0, x1, y1) in pixels, with x1 > x0 and y1 > y0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.metrics.contract import Bools, Floats, Metric, mean_of

NEEDS = "columns"
RSNA_THRESHOLDS = tuple(round(0.4 + 0.05 * step, 2) for step in range(8))

MEANS: dict[str, tuple[str, bool, tuple[float, float]]] = {  # name -> title, higher better, bounds
    "rsna_score": ("RSNA challenge score", True, (0.0, 1.0)),
    "box_sensitivity": ("Boxes found per image (IoU 0.5)", True, (0.0, 1.0)),
    "false_positives": ("False boxes per image (IoU 0.5)", False, (0.0, np.inf)),
}


def build(name: str, class_name: str | None = None) -> Metric:
    """The mean over images of the column of this name."""
    if name not in MEANS:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, MEANS))
    title, higher, bounds = MEANS[name]
    column, of = (f"{name}:{class_name}", f" ({class_name})") if class_name else (name, "")
    return mean_of(
        name,
        f"{title}{of}",
        column,
        higher_is_better=higher,
        bounds=bounds,
        class_name=class_name,
    )


def iou_matrix(boxes: Floats, others: Floats) -> Floats:
    """(n, 4) and (m, 4) to (n, m): intersection over union of each pair."""
    boxes, others = boxes.reshape(-1, 1, 4), others.reshape(1, -1, 4)
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(
        boxes[..., :2], others[..., :2]
    )
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = [np.clip(x[..., 2:] - x[..., :2], 0, None).prod(axis=-1) for x in (boxes, others)]
    union = areas[0] + areas[1] - shared
    result: Floats = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return result


def match(overlap: Floats, scores: Floats, threshold: float) -> Bools:
    """(n,) which of the n predicted boxes hit, given their (n, m) IoU with the m true ones.

    In order of confidence, each takes the unclaimed true box with which it overlaps most, if that
    is more than the threshold; a true box is claimed once.
    """
    hit = np.zeros(len(scores), dtype=bool)
    free = overlap.copy()
    for row in np.argsort(-scores, kind="stable") if overlap.shape[1] else []:
        best = int(free[row].argmax())
        if free[row, best] > threshold:
            hit[row] = True
            free[:, best] = -1.0
    return hit


def rsna_score(truth: Floats, predicted: Floats, scores: Floats) -> float:
    """Mean over IoU 0.40, 0.45 ... 0.75 of TP / (TP + FP + FN) in one image.

    An image without true and predicted boxes is not counted (NaN); one without true boxes but
    with predictions scores 0. RSNA Pneumonia Detection Challenge 2018, "Evaluation".
    """
    if not len(truth):
        return 0.0 if len(predicted) else float("nan")
    overlap = iou_matrix(predicted, truth)
    hits = [int(match(overlap, scores, t).sum()) for t in RSNA_THRESHOLDS]
    return float(np.mean([tp / (len(predicted) + len(truth) - tp) for tp in hits]))


def box_sensitivity(truth: Floats, predicted: Floats, scores: Floats) -> float:
    """Share of the true boxes hit at IoU > 0.5; NaN in an image without any."""
    if not len(truth):
        return float("nan")
    return float(match(iou_matrix(predicted, truth), scores, 0.5).sum() / len(truth))


def false_positives(truth: Floats, predicted: Floats, scores: Floats) -> float:
    """Number of predicted boxes in an image that hit nothing at IoU > 0.5."""
    return float((~match(iou_matrix(predicted, truth), scores, 0.5)).sum())


def average_precision(
    truth: Sequence[Floats],
    predicted: Sequence[Floats],
    scores: Sequence[Floats],
    threshold: float = 0.5,
) -> float:
    """COCO's average precision (101 recall points) over images at one IoU; NaN without a true box.

    truth, predicted: one (n, 4) array an image. scores: one (n,) array an image.
    Lin et al., ECCV 2014, by faster-coco-eval.
    """
    # The evaluator compiles its plotting helpers on import: it is loaded by those who call it.
    from faster_coco_eval import COCO, COCOeval_faster

    if not sum(len(boxes) for boxes in truth):
        return float("nan")
    if not sum(len(boxes) for boxes in predicted):
        return 0.0
    images = [{"id": i + 1, "width": 1, "height": 1} for i in range(len(truth))]
    known = COCO(
        {
            "images": images,
            "categories": [{"id": 1, "name": "box"}],
            "annotations": _annotations(truth, None),
        }
    )
    found = known.loadRes(_annotations(predicted, scores))
    run = COCOeval_faster(known, found, "bbox", print_function=_silent)
    run.params.iouThrs = np.array([threshold])
    run.evaluate()
    run.accumulate()
    # precision: (IoU, recall, class, area, most boxes an image); all areas, the largest limit
    return float(np.mean(run.eval["precision"][0, :, 0, 0, -1]))


def _annotations(boxes: Sequence[Floats], scores: Sequence[Floats] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, some in enumerate(boxes, start=1):
        for number, (x0, y0, x1, y1) in enumerate(np.asarray(some, np.float64).reshape(-1, 4)):
            width, height = float(x1 - x0), float(y1 - y0)
            row: dict[str, Any] = {
                "id": len(rows) + 1,
                "image_id": image,
                "category_id": 1,
                "bbox": [float(x0), float(y0), width, height],
                "area": width * height,
                "iscrowd": 0,
            }
            if scores is not None:
                row["score"] = float(scores[image - 1][number])
            rows.append(row)
    return rows


def _silent(*_: object) -> None:
    """The evaluator's progress lines are not the user's."""
