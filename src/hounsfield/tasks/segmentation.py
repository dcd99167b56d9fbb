"""Segmentation: a label for each pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from hounsfield import formats
from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.metrics import standard
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.metrics.segmentation import dice, iou
from hounsfield.models.fusion import Forward, Outputs
from hounsfield.preprocessing.cache import Cache
from hounsfield.preprocessing.contract import Prepared
from hounsfield.preprocessing.warp import Warp
from hounsfield.tasks.contract import Batch, Calibration, Choosing, TargetStore, Wanted, codes
from hounsfield.tasks.contract import Settings as Base


class MaskSettings(Base):
    labels: tuple[int, ...] = Field(description="values of the masks, without 0, the background")
    name: str = Field("", description="the annotation that the masks belong to")


@dataclass(frozen=True, eq=False)
class Map:
    """One case: probabilities (K, Y, X) on the prepared grid, then labels (Y, X) on its own.

    `values` are the masks' values that the K outputs stand for, 0 first.
    """

    values: NDArray[np.uint8]
    probability: NDArray[np.float32] | None
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Masks:
    """Output indices (B, Y, X), 0 for the background."""

    values: Tensor

    def moved(self, warp: Warp) -> Masks:
        return Masks(warp.masks(self.values))

    def to(self, device: torch.device) -> Masks:
        return Masks(self.values.to(device))

    def plain(self) -> Tensor:
        return self.values


@dataclass(frozen=True, eq=False)
class MaskStore:
    cache: Cache
    cases: tuple[str, ...]
    labels: tuple[int, ...]

    def batch(self, rows: Sequence[int]) -> Masks:
        stored = self.cache.masks([self.cases[row] for row in rows])[:, 0]  # (B, Z, Y, X), Z = 1
        return Masks(torch.from_numpy(_indices(stored, self.labels)))


class Segmentation:
    NAME = "segmentation"
    ANNOTATIONS = ("mask",)
    Settings = MaskSettings
    FIGURES = ("subgroups",)
    NETWORK = "hounsfield.tasks.segmentation:build"
    DIMENSIONS = (2,)

    def settings(self, catalog: Catalog, target: str, asked: Mapping[str, Any]) -> MaskSettings:
        masks = catalog.annotations.drop_nulls("mask")
        masks = masks.filter(pl.col("name") == target) if target else masks
        if not masks.height:
            raise InputError(
                "no case has a mask",
                file=catalog.folder,
                remedy="`hounsfield layouts` lists where masks lie",
            )
        values = {"name": str(masks["name"][0])} | dict(asked)
        if "labels" not in values:
            mine = _of_cases(catalog, str(values["name"]))
            values["labels"] = _labels(catalog.sources(list(mine.values())))
        chosen = MaskSettings.model_validate(values)
        if not chosen.labels:
            raise InputError(
                f"no mask of {chosen.name!r} has a label",
                file=catalog.folder,
                expected="whole numbers from 1 to 255 where something is, 0 elsewhere",
                remedy="check the masks, or choose others with --task.target",
            )
        return chosen

    def strata(self, catalog: Catalog, settings: MaskSettings) -> list[str]:
        known = [truth is not None for truth in self.truths(catalog, settings)]
        return ["mask" if one else "no mask" for one in known]

    def truths(self, catalog: Catalog, settings: MaskSettings) -> list[Source | None]:
        """The mask of each case; the first where several readers drew one."""
        masks = _of_cases(catalog, settings.name)
        sources = dict(zip(masks.values(), catalog.sources(list(masks.values())), strict=True))
        return [sources.get(masks.get(case, "")) for case in catalog.cases["case"]]

    def masks(self, catalog: Catalog, settings: MaskSettings) -> list[Source | None]:
        return self.truths(catalog, settings)

    def choose(self, choosing: Choosing, settings: MaskSettings) -> list[Choice]:
        return [Choice("training.balance", "none", "the loss balances the labels itself")]

    def measured(self, training: Catalog, settings: MaskSettings) -> tuple[Choice, ...]:
        return ()

    def outputs(self, settings: MaskSettings) -> int:
        return 1 + len(settings.labels)

    def kind_of_outputs(self, settings: MaskSettings) -> Outputs:
        return "classes"

    def output_names(self, settings: MaskSettings) -> tuple[str, ...]:
        return ()

    def targets(
        self, catalog: Catalog, settings: MaskSettings, cache: Cache, cases: Sequence[str]
    ) -> TargetStore:
        return MaskStore(cache, tuple(cases), settings.labels)

    def losses(
        self, network: Forward, batch: Batch, weights: Tensor | None, settings: MaskSettings
    ) -> dict[str, Tensor]:
        from monai.losses import DiceCELoss

        assert isinstance(batch.targets, Masks)
        loss = DiceCELoss(to_onehot_y=True, softmax=True)
        return {"loss": loss(network(batch.images).float(), batch.targets.values[:, None])}

    def predict(self, network: Forward, images: Tensor, settings: MaskSettings) -> list[Map]:
        probability = network(images).float().softmax(1).cpu().numpy()  # (B, K, Y, X)
        values = np.array((0, *settings.labels), np.uint8)
        return [Map(values, one) for one in probability]

    def mirrored(self, prediction: Map, width: int) -> Map:
        assert prediction.probability is not None
        return replace(
            prediction, probability=np.ascontiguousarray(prediction.probability[..., ::-1])
        )

    def combine(self, predictions: Sequence[Map]) -> Map:
        several = np.stack([one.probability for one in predictions if one.probability is not None])
        return replace(predictions[0], probability=several.mean(0))

    def restore(self, prediction: Map, prepared: Prepared) -> Map:
        """Probabilities are sampled on the image's own grid, then the largest wins."""
        prepared_from_original = np.linalg.inv(prepared.original_from_prepared)
        warp = Warp(torch.from_numpy(prepared_from_original).float()[None], prepared.original)
        full = warp.images(torch.from_numpy(prediction.probability)[None])[0]
        return Map(prediction.values, None, prediction.values[full.argmax(0).numpy()])

    def calibrate(
        self,
        predictions: Iterable[Map],
        truths: Sequence[Any],
        settings: MaskSettings,
        wanted: Wanted,
    ) -> Calibration:
        return Calibration(reasons=("each pixel takes its most probable label",))

    def rows(
        self,
        predictions: Sequence[Map],
        truths: Sequence[Any],
        calibration: Calibration,
        settings: MaskSettings,
    ) -> pl.DataFrame:
        """Pixels of each label, and where the truth is known Dice and IoU."""
        rows = [_row(one, truth, settings) for one, truth in zip(predictions, truths, strict=True)]
        return pl.DataFrame(rows, infer_schema_length=None)

    def save(self, prediction: Map, folder: Path, case: str) -> None:
        """The label map on the image's own grid: masks/CASE.png."""
        assert prediction.labels is not None
        formats.write(Image.from_numpy(prediction.labels), folder / "masks" / f"{case}.png")

    def label(self, truth: Any, settings: MaskSettings) -> str:
        return "" if truth is None else "mask"

    def cases(self, table: pl.DataFrame, truths: Sequence[Any], settings: MaskSettings) -> Cases:
        columns = {name: table[name].cast(pl.Float64).to_numpy() for name in _columns(settings)}
        return Cases.from_columns(columns, codes(table["patient"].to_list()))

    def uncalibrated(
        self, cases: Cases, calibration: Calibration, settings: MaskSettings
    ) -> Cases | None:
        return None

    def metrics(self, settings: MaskSettings) -> list[Metric]:
        return list(standard(columns=_columns(settings)))


TASK = Segmentation()


def build(*, channels: int, outputs: int, size: tuple[int, ...]) -> nn.Module:
    """A small residual U-Net (Ronneberger et al. 2015), MONAI's."""
    from monai.networks.nets import UNet

    network: nn.Module = UNet(
        len(size), channels, outputs, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1
    )
    return network


def _of_cases(catalog: Catalog, name: str) -> dict[str, str]:
    """The mask of each case that has one of this name."""
    mine = catalog.annotations.drop_nulls("mask").filter(pl.col("name") == name)
    mine = mine.unique("case", keep="first", maintain_order=True)
    return dict(mine.select("case", "mask").rows())


def _labels(masks: Iterable[Source]) -> tuple[int, ...]:
    """The labels of all masks: one that is rare may stand in the last alone."""
    with ThreadPoolExecutor() as pool:
        found = set().union(*pool.map(_values, masks))
    return tuple(sorted(found - {0}))


def _values(mask: Source) -> set[int]:
    """The whole numbers from 0 to 255 in a mask; none of one that preparing will refuse."""
    try:
        array = formats.read(mask).array
    except (InputError, OSError):
        return set()
    if array.dtype != np.uint8:
        stored, array = array, np.clip(np.nan_to_num(array), 0, 255).astype(np.uint8)
        if not np.array_equal(stored, array):
            return set()
    return set(np.flatnonzero(np.bincount(array.ravel(), minlength=256)).tolist())


def _indices(stored: NDArray[np.uint8], labels: tuple[int, ...]) -> NDArray[np.int64]:
    """Mask values as output indices; values that no training mask has are background."""
    lookup = np.zeros(256, np.int64)
    lookup[list(labels)] = np.arange(1, len(labels) + 1)
    return lookup[stored]


def _columns(settings: MaskSettings) -> list[str]:
    each = [f"dice:{label}" for label in settings.labels] if len(settings.labels) > 1 else []
    return ["dice", *each, "iou"]


def _row(prediction: Map, truth: Source | None, settings: MaskSettings) -> dict[str, Any]:
    assert prediction.labels is not None
    labels = settings.labels
    counts = [int((prediction.labels == label).sum()) for label in labels]
    said = " ".join(f"{label}:{n}" for label, n in zip(labels, counts, strict=True))
    row: dict[str, Any] = {"prediction": said}
    if truth is None:
        return row
    known = formats.read(truth).array[0, 0].astype(np.uint8)
    dices, ious = (score(known, prediction.labels, labels) for score in (dice, iou))
    row |= {"dice": _mean(dices)}
    if len(labels) > 1:
        row |= {f"dice:{label}": float(d) for label, d in zip(labels, dices, strict=True)}
    return row | {"iou": _mean(ious)}


def _mean(values: NDArray[np.float64]) -> float:
    """Over the labels that are there; NaN where none is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
