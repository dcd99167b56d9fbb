"""What a layout is: a module with these names, listed in `layouts.LAYOUTS`.

    TITLE: str                     the data set's full name
    LICENCE: str                   under which terms, as its owner states them
    GET: str                       how a user gets it, and how its folder then looks
    recognise(root) -> bool        is this folder (or file) laid out so? Cheap: names only
    entries(root) -> Iterator      one `Entry` an image, in a stable order; opens no pixels
    noticed(root) -> list          optional; findings of what it passes over
    table_rows(root) -> Mapping    optional; entry's name -> row of the table that tells of several
    TRUST_HEADER_PATIENT: bool     optional; False where DICOM's PatientID names no patient

A layout knows names and tables. Sizes, spacings, modality and the DICOM patient are read from
the files' headers afterwards, in parallel; what an entry says goes before what a header says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hounsfield.catalog.tables import Kind, Known, Part
from hounsfield.formats.contract import Source


@dataclass(frozen=True)
class Label:
    """One annotation of a case: a class, a value, a box in pixels or a mask's file."""

    kind: Kind
    name: str  # what is annotated, e.g. "pneumonia"
    label: str | None = None  # the class of the case, box or mask
    value: float | None = None
    box: tuple[float, float, float, float] | None = None  # x0, y0, x1, y1
    mask: Source | None = None
    reader: str | None = None


@dataclass(frozen=True)
class Entry:
    """One image as the layout knows it. True identities here; pseudonyms in the tables."""

    source: Source
    name: str  # the data set's own name of the image, unique in it; becomes the id where plain
    patient: str | None = None
    known: Known = "unknown"
    labels: tuple[Label, ...] = ()
    part: Part | None = None
    case: str | None = None  # images with one case name form one case; None: the image's own
    channel: str = "image"
    columns: Mapping[str, str | float | None] = field(default_factory=dict)  # sex, age, view, …


class Layout(Protocol):
    """The names that every layout module has (see the module's docstring)."""

    TITLE: str
    LICENCE: str
    GET: str

    def recognise(self, root: Path) -> bool: ...
    def entries(self, root: Path) -> Iterator[Entry]: ...
