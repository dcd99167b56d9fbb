"""What was noticed about data, in words that a user reads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["info", "warning", "stop"]


class Finding(BaseModel):
    """One thing noticed: what, how grave, which cases, and what follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str  # "duplicate", "patient-overlap", "label-conflict", "refilled", …
    severity: Severity
    text: str  # a sentence with the numbers
    remedy: str = ""
    groups: tuple[tuple[str, ...], ...] = ()  # cases that belong together, e.g. duplicates
