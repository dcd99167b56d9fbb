"""A data set's own parts: which are kept, which are refilled, and which patients they tear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from hounsfield.catalog.findings import Finding, Severity, counted
from hounsfield.catalog.tables import Catalog, Part

MOST_OF_TRAINING = 0.25  # a refilled validation part takes at most this share of training
OVERLAP: dict[str, tuple[str, Severity, str]] = {
    "given": (
        "known for sure",
        "stop",
        "split anew (data.official: false, or `split --no-use-official`), or drop these cases "
        "from training",
    ),
    "guessed": (
        "guessed from file names",
        "warning",
        "if the same number means the same patient, split anew by patient (data.official: false, "
        "or `split --no-use-official`)",
    ),
}


class Shares(Protocol):
    """What of the split's settings decides here."""

    @property
    def train(self) -> float: ...
    @property
    def val(self) -> float: ...
    @property
    def test(self) -> float: ...
    @property
    def min_per_class(self) -> int: ...


def overlap(catalog: Catalog) -> list[Finding]:
    """Patients with cases in two official parts: a stop where they are truly known."""
    table = catalog.cases.filter(pl.col("part").is_not_null())
    torn = (
        table.group_by("patient", maintain_order=True)
        .agg(pl.col("case"), pl.col("patient_known").first(), pl.col("part").n_unique())
        .filter(pl.col("part") > 1)
    )
    findings = []
    for known in (("given", "mapped"), ("guessed",)):
        rows = torn.filter(pl.col("patient_known").is_in(known))
        if rows.is_empty():
            continue
        count = int(rows["case"].list.len().sum())
        how, severity, remedy = OVERLAP[known[0]]
        findings.append(
            Finding(
                kind="patient-overlap",
                severity=severity,
                text=f"{counted(rows.height, 'patient')} ({how}) in more than one official part "
                f"({counted(count, 'case')})",
                remedy=remedy,
                groups=tuple(tuple(cases) for cases in rows["case"]),
            )
        )
    return findings


def own_shares(
    cases: Sequence[tuple[str | None, Part | None]],
    source: str | None,
    settings: Shares,
    findings: list[Finding],
) -> tuple[float, ...]:
    """How a source's cases that no official part fixes are shared: (train, val, test).

    `cases` holds (label, official part) of each case of the source.
    """
    has = {part for _, part in cases} - {None}
    if has <= {"train"}:
        return settings.train, settings.val, settings.test
    if has == {"test"}:
        return 1.0, 0.0, 0.0
    test = 0.0 if "test" in has else settings.test
    if "test" not in has:
        findings.append(_said("no-official-test", source, f"a share of {test:g} of"))
    held = Counter(label for label, part in cases if part == "val")
    classes = held + Counter(label for label, part in cases if part == "train")
    least = min((held[label] for label in classes), default=0)
    if "train" not in has or (least >= settings.min_per_class and "val" in has):
        return 1.0 - test, 0.0, test
    usual = settings.val / (settings.val + settings.train)
    rare = settings.min_per_class / min(classes.values())
    val = max(usual, min(rare, MOST_OF_TRAINING))
    if "val" in has:
        findings.append(_refilled(source, held, classes, val))
    else:
        findings.append(_said("no-official-val", source, f"a share of {val:.2g} of"))
    return 1.0 - val - test, val, test


def _said(kind: str, source: str | None, how: str) -> Finding:
    part = "test" if kind.endswith("test") else "validation"
    return Finding(
        kind=kind,
        severity="info",
        text=f"{source} has no official {part} part: {how} its training part is used, by patient",
    )


def _refilled(
    source: str | None, held: Counter[str | None], classes: Counter[str | None], share: float
) -> Finding:
    counts = ", ".join(f"{held[label]} {label}" for label in classes)
    return Finding(
        kind="refilled",
        severity="warning",
        text=f"the official validation part of {source} is too small to choose anything by "
        f"({counts}): it is refilled from training, by patient, to {share:.0%} of both",
        remedy="data.min_per_class: 0, or `split --min-per-class 0`, keeps it as it is",
    )
