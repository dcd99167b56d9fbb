"""What was noticed about data, in words that a user reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from hounsfield.errors import InputError
from hounsfield.files import write_text

Severity = Literal["info", "warning", "stop"]
FINDINGS_FILE = "findings.json"


class Finding(BaseModel):
    """One thing noticed: what, how grave, which cases, and what follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str  # "duplicate", "patient-overlap", "label-conflict", "refilled", …
    severity: Severity
    text: str  # a sentence with the numbers
    remedy: str = ""
    groups: tuple[tuple[str, ...], ...] = ()  # cases that belong together, e.g. duplicates


def counted(count: int, noun: str) -> str:
    """ "1 case", "2,000 cases"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


FINDINGS = TypeAdapter(tuple[Finding, ...])


def save(findings: Sequence[Finding], folder: Path) -> None:
    """Write what indexing noticed beside the tables."""
    text = json.dumps([one.model_dump() for one in findings], indent=1, ensure_ascii=False)
    write_text(folder / FINDINGS_FILE, text)


def load(folder: Path) -> tuple[Finding, ...]:
    """What indexing noticed about the catalog in a folder; nothing where it wrote none.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FINDINGS_FILE
    if not path.is_file():
        return ()
    try:
        return FINDINGS.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "the findings of the index cannot be read",
            file=path,
            remedy="index the folder again, or delete this file",
        ) from error
