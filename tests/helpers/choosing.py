"""What a network chooses for pictures of a size."""

from __future__ import annotations

from typing import Any

from hounsfield.catalog.fingerprint import Fingerprint, Machine
from hounsfield.models import load
from hounsfield.tasks.contract import Choosing


def facts(side: int, *, depth: int = 1, cases: int = 100) -> Fingerprint:
    return Fingerprint(
        cases=cases, patients=cases, patients_known={"given": 100}, height=side, width=side,
        smallest=side, largest=side, depth=depth, colour=False, channels=("image",),
        modalities={}, formats={}, classes={"0": 50, "1": 50}, sources={},
        machine=Machine(cores=2, memory_gb=8),
    )  # fmt: skip


def chosen(
    name: str,
    side: int,
    asked: dict[str, Any] | None = None,
    *,
    depth: int = 1,
    cases: int = 100,
) -> dict[str, Any]:
    """Path -> value of a network's choices for square pictures."""
    choosing = Choosing(facts(side, depth=depth, cases=cases), asked or {})
    return {choice.path: choice.value for choice in load(name).choose(choosing)}
