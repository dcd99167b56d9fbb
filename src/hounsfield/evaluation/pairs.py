"""The cases that two sets of predictions have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.evaluation.evaluate import Tested
from hounsfield.metrics.contract import Cases


def paired(a: tuple[Tested, Catalog], b: tuple[Tested, Catalog]) -> tuple[Cases, Cases]:
    """The cases of both, in one order.

    Raises:
        InputError: there are none, or the classes differ.
    """
    rows = [_rows(*one) for one in (a, b)]
    both = [content for content in rows[0] if content in rows[1]]
    cases = [a[0].cases, b[0].cases]
    if not both or cases[0].classes != cases[1].classes:
        raise InputError(
            "the runs have no test cases in common" if not both else "the classes differ",
            expected="runs of one task on the same data and split",
            remedy="train both with the same --data.seed on the same data",
        )
    one, other = (
        mine.take(np.array([row[content] for content in both]))
        for mine, row in zip(cases, rows, strict=True)
    )
    return one, replace(other, patient=one.patient)


def _rows(data: Tested, catalog: Catalog) -> dict[tuple[str, int], int]:
    """Where each case stands in the table, by what its files hold: names differ by catalog."""
    hashes = dict(catalog.images.select("image", "hash").rows())
    inputs = dict(catalog.cases.select("case", "inputs").rows())
    seen = Counter[str]()
    found: dict[tuple[str, int], int] = {}
    for row, case in enumerate(data.table["image"]):
        content = "+".join(str(hashes[one["image"]]) for one in inputs[case])
        seen[content] += 1  # identical pictures stay two cases
        found[content, seen[content]] = row
    return found
