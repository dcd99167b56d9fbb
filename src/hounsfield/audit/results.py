"""What an audit is asked for, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.catalog.findings import Finding
from hounsfield.errors import InputError
from hounsfield.files import write_text

VERSION = 1
FILE = "audit.json"
SHEET = "near_duplicates.png"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AuditSettings(_Frozen):
    """What to look for, and how sure to be."""

    near: Literal["auto", "on", "off"] = "auto"  # auto: only where pictures are large enough
    correlation: float = Field(0.94, gt=0, le=1)  # of fine structure, from which a pair is a copy
    imbalance: float = Field(10.0, gt=1)  # largest class to smallest, from which to warn
    association: float = Field(0.5, gt=0, le=1)  # Cramér's V of class and source, likewise
    workers: int = Field(0, ge=0)  # processes that read images; 0: one a core


class Pair(_Frozen):
    """Two cases that show the same picture, and how one must be moved to lie on the other.

    At u in [-1, 1] across the first, the second is seen at `scale`·u + `shift`; both are (x, y).
    """

    first: str
    second: str
    correlation: float  # of the fine structure where both overlap
    agreement: float  # the share of the picture's tiles that agree one by one
    scale: tuple[float, float]
    shift: tuple[float, float]


class NearGroup(_Frozen):
    """Cases that show one picture in different versions, with the pairs that prove it."""

    cases: tuple[str, ...]
    pairs: tuple[Pair, ...]


class Conflict(_Frozen):
    """Cases with one picture that bear different classes."""

    name: str  # what is annotated
    cases: tuple[str, ...]
    labels: tuple[str, ...]  # of each case; several classes of one case are joined by " + "


class Table(_Frozen):
    """How often each class meets each value of a column of the catalog."""

    name: str  # what is annotated
    column: str  # "label" alone for the plain counts, else "source", "view", …
    counts: dict[str, dict[str, int]]  # class -> value of the column -> cases
    cramers_v: float | None = None  # 0: they know nothing of each other; 1: one tells the other


class Audit(_Frozen):
    """Everything an audit found; says nothing of files or people, so it can be shown around."""

    version: int = VERSION
    findings: tuple[Finding, ...] = ()
    exact: tuple[tuple[str, ...], ...] = ()
    near: tuple[NearGroup, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    tables: tuple[Table, ...] = ()
    images: int = 0

    @property
    def duplicates(self) -> tuple[tuple[str, ...], ...]:
        """Groups of cases that show one picture, exact or near, without overlap."""
        from hounsfield.audit.exact import merged

        return merged([*self.exact, *(group.cases for group in self.near)])

    def save(self, folder: str | Path) -> Path:
        """Write audit.json into a folder, whole or not at all.

        Raises:
            StorageError: the disk is full, or the folder cannot be written to.
        """
        path = Path(folder) / FILE
        write_text(path, self.model_dump_json(indent=1) + "\n")
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Audit:
        """The audit in a folder.

        Raises:
            InputError: there is none, it is damaged, or it comes from a newer version.
        """
        path = Path(folder) / FILE
        remedy = "`hounsfield audit CATALOG` makes it again"
        try:
            audit = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"there is no audit here ({error.strerror})", file=path, remedy=remedy
            ) from error
        except ValueError as error:
            raise InputError(f"the audit is damaged: {error}", file=path, remedy=remedy) from error
        if audit.version > VERSION:
            raise InputError(
                f"the audit is of version {audit.version}",
                file=path,
                expected=f"at most {VERSION}",
                remedy="update hounsfield",
            )
        return audit
