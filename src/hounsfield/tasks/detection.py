"""Detection: boxes with scores, by torchvision's detectors, whose losses are their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source
from hounsfield.metrics import standard
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.metrics.detection import box_sensitivity, false_positives, rsna_score
from hounsfield.models.fusion import Forward, Outputs
from hounsfield.preprocessing.cache import Cache
from hounsfield.preprocessing.contract import Prepared
from hounsfield.preprocessing.warp import Warp
from hounsfield.tasks.contract import Batch, Calibration, Choosing, TargetStore, Wanted, codes
from hounsfield.tasks.contract import Settings as Base

Boxes = NDArray[np.float64]  # (N, 4): x0, y0, x1, y1
COLUMNS = {
    "rsna_score": rsna_score,
    "box_sensitivity": box_sensitivity,
    "false_positives": false_positives,
}
SMALLEST = 1.0  # px: a box that a warp leaves with less is gone
OVERLAP = 0.3  # IoU from which two boxes are of one object
TRIED = np.linspace(0.05, 0.95, 19)  # score thresholds on validation data


class BoxSettings(Base):
    name: str = Field(description="the annotation that the boxes belong to")
    labels: tuple[str, ...] = Field(description="classes of the boxes")


@dataclass(frozen=True, eq=False)
class Found:
    """The boxes of one case, with their scores and label numbers from 1."""

    boxes: Boxes
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BoxTargets:
    """torchvision's targets: a dict of `boxes` and `labels` an image."""

    values: tuple[dict[str, Tensor], ...]

    def moved(self, warp: Warp) -> BoxTargets:
        moved = []
        for item, one in enumerate(self.values):
            boxes = warp.boxes(one["boxes"], item)
            kept = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= SMALLEST
            moved.append({"boxes": boxes[kept], "labels": one["labels"][kept]})
        return BoxTargets(tuple(moved))

    def to(self, device: torch.device) -> BoxTargets:
        return BoxTargets(tuple({k: v.to(device) for k, v in one.items()} for one in self.values))

    def plain(self) -> list[dict[str, Tensor]]:
        return list(self.values)


@dataclass(frozen=True, eq=False)
class BoxStore:
    values: tuple[dict[str, Tensor], ...]

    def batch(self, rows: Sequence[int]) -> BoxTargets:
        return BoxTargets(tuple(self.values[row] for row in rows))


class Detection:
    NAME = "detection"
    ANNOTATIONS = ("box",)
    Settings = BoxSettings
    FIGURES = ("subgroups",)
    NETWORK = "hounsfield.tasks.detection:build"
    DIMENSIONS = (2,)

    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> BoxSettings:
        boxes = catalog.annotations.filter(pl.col("kind") == "box")
        boxes = boxes.filter(pl.col("name") == target) if target else boxes
        if not boxes.height:
            raise InputError(
                "no case has a box",
                file=catalog.folder,
                remedy="`hounsfield layouts` lists where boxes stand",
            )
        name = str(boxes["name"][0])
        labels = boxes.filter(pl.col("name") == name)["label"].fill_null(name).unique().sort()
        values = {"name": name, "labels": tuple(labels.to_list())} | dict(asked)
        return BoxSettings.model_validate(values)

    def strata(self, catalog: Catalog, settings: BoxSettings) -> list[str]:
        found = [truth is not None and len(truth.boxes) for truth in self.truths(catalog, settings)]
        return ["boxes" if some else "none" for some in found]

    def truths(self, catalog: Catalog, settings: BoxSettings) -> list[Found | None]:
        """The true boxes of each case; where some cases have boxes, the others have none.

        Where no case has one nobody has looked, and nothing is known.
        """
        mine = catalog.annotations.filter(
            (pl.col("kind") == "box") & (pl.col("name") == settings.name)
        )
        if not mine.height:
            return [None] * catalog.cases.height
        rank = {label: i + 1 for i, label in enumerate(settings.labels)}
        by_case: dict[str, list[tuple[list[float], int]]] = {}
        for case, box, label in mine.select("case", "box", "label").rows():
            by_case.setdefault(case, []).append((box, rank.get(label or settings.name, 0)))
        return [_found(by_case.get(case, [])) for case in catalog.cases["case"]]

    def masks(self, catalog: Catalog, settings: BoxSettings) -> list[Source | None]:
        return [None] * catalog.cases.height

    def choose(self, choosing: Choosing, settings: BoxSettings) -> list[Choice]:
        return [
            Choice("training.precision", "fp32", "overlapping boxes are dropped in fp32"),
            Choice("training.batch", 8, "a detector keeps many maps of each image"),
            Choice("training.learning_rate", 5e-4, "a detector from scratch needs small steps"),
            Choice("training.balance", "none", "the detector's focal loss balances"),
        ]

    def measured(self, training: Catalog, settings: BoxSettings) -> tuple[Choice, ...]:
        return ()

    def outputs(self, settings: BoxSettings) -> int:
        return 1 + len(settings.labels)

    def kind_of_outputs(self, settings: BoxSettings) -> Outputs:
        return "values"

    def output_names(self, settings: BoxSettings) -> tuple[str, ...]:
        return ()

    def targets(
        self, catalog: Catalog, settings: BoxSettings, cache: Cache, cases: Sequence[str]
    ) -> TargetStore:
        every = self.truths(catalog, settings)
        known = dict(zip(catalog.cases["case"], every, strict=True))
        values = []
        for case in cases:
            truth = known[case]
            assert truth is not None  # only annotated cases are learned from
            boxes = cache.prepared(case).boxes_from_original(truth.boxes)
            labels = torch.from_numpy(truth.labels)
            values.append({"boxes": torch.from_numpy(boxes).float(), "labels": labels})
        return BoxStore(tuple(values))

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: BoxSettings
    ) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = network(list(batch.images), batch.targets.plain())
        return losses

    def predict(self, network: Forward, images: Tensor, settings: BoxSettings) -> list[Found]:
        found = []
        for one in network(list(images)):
            boxes, scores, labels = (one[k].cpu().numpy() for k in ("boxes", "scores", "labels"))
            found.append(Found(boxes.astype(np.float64), scores.astype(np.float64), labels))
        return found

    def mirrored(self, prediction: Found, width: int) -> Found:
        boxes = prediction.boxes.copy()
        boxes[:, [0, 2]] = width - prediction.boxes[:, [2, 0]]
        return Found(boxes, prediction.scores, prediction.labels)

    def combine(self, predictions: Sequence[Found]) -> Found:
        """All boxes; of those of one object only the one with the highest score."""
        from torchvision.ops import batched_nms

        boxes, scores, labels = (
            np.concatenate([getattr(one, name) for one in predictions])
            for name in ("boxes", "scores", "labels")
        )
        kept = batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), OVERLAP).numpy()
        return Found(boxes[kept], scores[kept], labels[kept])

    def restore(self, prediction: Found, prepared: Prepared) -> Found:
        boxes = prepared.boxes_to_original(prediction.boxes)
        return Found(boxes, prediction.scores, prediction.labels)

    def calibrate(
        self,
        predictions: Iterable[Found],
        truths: Sequence[Any],
        settings: BoxSettings,
        wanted: Wanted,
    ) -> Calibration:
        """The score from which boxes are shown: best mean RSNA score on the validation part."""
        pairs = list(zip(predictions, truths, strict=True))
        means = []
        for threshold in TRIED:
            scores = [rsna_score(t.boxes, *_above(p, threshold)) for p, t in pairs]
            means.append(float(np.nanmean(scores)) if not np.isnan(scores).all() else 0.0)
        best = float(TRIED[int(np.argmax(means))])
        why = f"boxes from a score of {best:.2f}: the best RSNA score on validation data"
        return Calibration(thresholds=(best,), reasons=(why,))

    def rows(
        self,
        predictions: Sequence[Found],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: BoxSettings,
    ) -> pl.DataFrame:
        """Boxes as the RSNA challenge writes them, and where the truth is known the scores."""
        threshold = calibration.thresholds[0] if calibration.thresholds else 0.5
        rows = []
        for prediction, truth in zip(predictions, truths, strict=True):
            boxes, scores = _above(prediction, threshold)
            row: dict[str, Any] = {"prediction": _written(boxes, scores)}
            if truth is not None:
                row |= {name: score(truth.boxes, boxes, scores) for name, score in COLUMNS.items()}
            rows.append(row)
        return pl.DataFrame(rows, infer_schema_length=None)

    def save(self, prediction: Found, folder: Path, case: str) -> None:
        """Nothing lies beside the table."""

    def label(self, truth: Any, settings: BoxSettings) -> str:
        return "" if truth is None else _written(truth.boxes, truth.scores)

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: BoxSettings) -> Cases:
        columns = {name: table[name].cast(pl.Float64).to_numpy() for name in COLUMNS}
        return Cases.from_columns(columns, codes(table["patient"].to_list()))

    def uncalibrated(
        self, cases: Cases, calibration: Calibration, settings: BoxSettings
    ) -> Cases | None:
        return None

    def metrics(self, settings: BoxSettings) -> list[Metric]:
        return list(standard(columns=COLUMNS))


TASK = Detection()


def build(*, channels: int, outputs: int, size: tuple[int, ...]) -> nn.Module:
    """RetinaNet (Lin et al. 2017) on a small backbone of one level, for a CPU."""
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    layers: list[nn.Module] = []
    for width in (16, 32, 64, 64):  # each halves the sides: stride 16
        layers += [
            nn.Conv2d(channels, width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels = width
    body = nn.Sequential(*layers, nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())
    body.out_channels = 64  # type: ignore[assignment]  # torchvision asks the backbone for it
    sides = tuple(max(size) // k for k in (10, 6, 4, 3))
    anchors = AnchorGenerator((sides,), ((0.5, 1.0, 2.0),))
    first = layers[0]
    assert isinstance(first, nn.Conv2d)
    network: nn.Module = RetinaNet(
        body,
        outputs,
        anchor_generator=anchors,
        min_size=min(size),
        max_size=max(size),
        image_mean=[0.0] * first.in_channels,
        image_std=[1.0] * first.in_channels,
        detections_per_img=20,
    )
    return network


def _found(boxes: list[tuple[list[float], int]]) -> Found:
    places = np.array([box for box, _ in boxes], np.float64).reshape(-1, 4)
    labels = np.array([label for _, label in boxes], np.int64)
    return Found(places, np.ones(len(boxes)), labels)


def _above(prediction: Found, threshold: float) -> tuple[Boxes, NDArray[np.float64]]:
    kept = prediction.scores >= threshold
    return prediction.boxes[kept], prediction.scores[kept]


def _written(boxes: Boxes, scores: NDArray[np.float64]) -> str:
    """`score x y width height` for each box, as the RSNA challenge asks for it."""
    return " ".join(
        f"{score:.4f} {x0:.1f} {y0:.1f} {x1 - x0:.1f} {y1 - y0:.1f}"
        for score, (x0, y0, x1, y1) in zip(scores, boxes, strict=True)
    )
