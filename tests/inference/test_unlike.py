"""Colour against grey, by what the catalog says of the files."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest

from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog
from hounsfield.inference.unlike import Ranges


@dataclass(frozen=True)
class Summary:
    median: float = 100.0
    p99: float = 200.0


class Same:
    """A cache in which all cases have the same intensities."""

    def summary(self, case: str) -> Summary:
        return Summary()


def catalog(channels: list[int | None]) -> Catalog:
    names = [f"i{n}" for n in range(len(channels))]
    images = {"image": names, "channels": channels, "modality": ["CR"] * len(names)}
    images |= {side: [64] * len(names) for side in ("height", "width")}
    cases = {"case": names, "inputs": [[{"channel": "image", "image": name}] for name in names]}
    made = [
        pl.DataFrame({k: v.get(k, [None] * len(names)) for k in schema}, schema=schema)
        for v, schema in ((images, IMAGES), (cases, CASES))
    ]
    return Catalog(made[0], made[1], pl.DataFrame(schema=ANNOTATIONS), None)


@pytest.mark.parametrize(("learned", "shown", "said"), [
    ([1], 1, ""),
    ([1], 3, "in colour; the training images are grey"),
    ([3], 1, "grey; the training images are in colour"),
    ([1, 3], 3, ""),
    ([1], None, ""),
])  # fmt: skip
def test_colour_is_told_from_grey(learned: list[int], shown: int | None, said: str) -> None:
    cache, training = Same(), catalog(list(learned))
    ranges = Ranges.of(training, cache, training.cases["case"].to_list())
    assert ranges.check(catalog([shown]), cache, ["i0"]) == [said]
    older = Ranges.model_validate(ranges.model_dump(exclude={"colours"}))
    assert older.check(catalog([shown]), cache, ["i0"]) == [""]
