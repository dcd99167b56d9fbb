"""Is a new image like those that the model learned from? Modality, colour, size, intensity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.tables import Catalog
from hounsfield.preprocessing.cache import Cache
from hounsfield.preprocessing.contract import Summary

BEYOND = 0.25  # of the training range, to either side, is still alike
SIDES = 2.0  # times smaller or larger than any training image


class Summaries(Protocol):
    """A cache, or whatever else knows what the images of cases are like."""

    def summary(self, key: str) -> Summary: ...


class Ranges(BaseModel):
    """What the training images span, of their physical values before clipping."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...]
    sides: tuple[int, int]  # the smallest and largest side in pixels
    median: tuple[float, float]
    p99: tuple[float, float]
    colours: tuple[str, ...] = ()  # "grey", "in colour"; none in files that did not note it

    @classmethod
    def of(cls, catalog: Catalog, cache: Cache, cases: Sequence[str]) -> Ranges:
        """The ranges of these cases, the training part."""
        images = catalog.select(cases).images
        sides = images["height"].to_list() + images["width"].to_list()
        summaries = [cache.summary(case) for case in cases]
        medians, tops = [s.median for s in summaries], [s.p99 for s in summaries]
        return cls(
            modalities=tuple(sorted(set(images["modality"].fill_null("").to_list()))),
            sides=(min(sides), max(sides)),
            median=(min(medians), max(medians)),
            p99=(min(tops), max(tops)),
            colours=tuple(sorted({_colour(n) for n in images["channels"].to_list()} - {""})),
        )

    def check(self, catalog: Catalog, cache: Summaries, cases: Sequence[str]) -> list[str]:
        """For each case, how it differs from the training data, in words; empty if it does not."""
        first = catalog.cases.select(
            "case", image=pl.col("inputs").list.first().struct.field("image")
        )
        known = first.join(catalog.images, on="image", how="left")
        rows = {row["case"]: row for row in known.iter_rows(named=True)}
        return [self._one(rows[case], cache, case) for case in cases]

    def _one(self, row: dict[str, object], cache: Summaries, case: str) -> str:
        said = []
        modality = str(row["modality"] or "")
        if modality not in self.modalities:
            said.append(f"modality {modality or 'unknown'}")
        colour = _colour(row["channels"])
        if colour and self.colours and colour not in self.colours:
            said.append(f"{colour}; the training images are {' and '.join(self.colours)}")
        sides = (int(str(row["height"])), int(str(row["width"])))
        if min(sides) * SIDES < self.sides[0] or max(sides) > self.sides[1] * SIDES:
            said.append(f"size {sides[1]}×{sides[0]}")
        summary = cache.summary(case)
        for name, value, (low, high) in (
            ("median intensity", summary.median, self.median),
            ("bright intensity", summary.p99, self.p99),
        ):
            margin = BEYOND * max(high - low, 1e-6 + 0.1 * abs(high))
            if not low - margin <= value <= high + margin:
                said.append(f"{name} {value:.4g} outside {low:.4g} to {high:.4g}")
        return "; ".join(said)


def _colour(channels: object) -> str:
    """What one file holds; red, green and blue are three channels, with opacity four."""
    return "" if channels is None else "in colour" if int(str(channels)) in (3, 4) else "grey"
