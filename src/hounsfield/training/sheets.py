"""Pictures to look at before training: raw images, augmented images, intensities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.preprocessing import figures
from hounsfield.preprocessing.augment import apply, draw
from hounsfield.preprocessing.normalise import normalise
from hounsfield.training.study import Study

RAW, VARIED, DRAWS = 12, 4, 3


def draw_sheets(study: Study, folder: Path) -> None:
    """Write raw.png, augmented.png and intensities.png, of training cases of each stratum."""
    train, _ = study.run.split.fold(0)
    cases = _spread(train, study.strata(train), RAW)
    labels = [name or "-" for name in study.strata(cases)]
    first = dict(study.catalog.cases.select("case", "inputs").rows())
    sources = study.catalog.sources([first[case][0]["image"] for case in cases])
    raw = [formats.read(source).array for source in sources]
    prepared = torch.from_numpy(study.cache.images(cases))  # (B, C, Z, Y, X)
    images = normalise(prepared[:, :, prepared.shape[2] // 2], study.plan.preprocessing)
    figures.save(figures.sheet(raw, labels, "Training images"), folder / "raw.png")
    before_and_after = figures.histograms(raw, list(images[:, :, None].numpy()), "Intensities")
    figures.save(before_and_after, folder / "intensities.png")
    varied = _varied(study, images[:VARIED])
    shown = list(images[:VARIED, :, None].numpy())
    sheet = figures.augmented_sheet(shown, varied, labels[:VARIED], "As the network sees them")
    figures.save(sheet, folder / "augmented.png")


def _varied(study: Study, images: torch.Tensor) -> list[list[NDArray[Any]]]:
    """Several draws of each image."""
    plan, size = study.plan, (images.shape[-2], images.shape[-1])
    draws = []
    for epoch in range(DRAWS):
        keys = [(plan.training.seed, epoch, row) for row in range(len(images))]
        draws.append(apply(images, draw(plan.augmentation, keys, size))[:, :, None].numpy())
    return [[one[row] for one in draws] for row in range(len(images))]


def _spread(cases: Sequence[str], strata: Sequence[str], count: int) -> list[str]:
    """The first cases of each stratum, in turn."""
    groups: dict[str, list[str]] = {}
    for case, stratum in zip(cases, strata, strict=True):
        groups.setdefault(stratum, []).append(case)
    ranked = [(i, case) for mine in groups.values() for i, case in enumerate(mine[:count])]
    return [case for _, case in sorted(ranked, key=lambda pair: pair[0])[:count]]
