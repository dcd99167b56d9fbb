"""Kvasir: endoscopy of the gut, eight classes of landmarks, findings and procedures.

Versions 1 (4,000 pictures) and 2 (8,000). Patients are unknown, and pictures of one examination
look alike: the audit's near duplicates matter. Some pictures carry a green map of the scope's
place in a corner, in some classes far more often than in others: a shortcut.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import pictures, wrapped
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.contract import Source

TITLE = "Kvasir v1 and v2: endoscopy of the gut (Pogorelov et al. 2017)"
LICENCE = "research and education, with citation of the paper"
GET = """\
datasets.simula.no/kvasir
FOLDER/                                  kvasir-dataset, or kvasir-dataset-v2
├── dyed-lifted-polyps/*.jpg             one folder a class
├── dyed-resection-margins/, esophagitis/, normal-cecum/, normal-pylorus/
└── normal-z-line/, polyps/, ulcerative-colitis/
"""

CLASSES = (
    *("dyed-lifted-polyps", "dyed-resection-margins", "esophagitis", "normal-cecum"),
    *("normal-pylorus", "normal-z-line", "polyps", "ulcerative-colitis"),
)
FEWEST = 3  # of the classes: one alone may be anything


def recognise(root: Path) -> bool:
    return len(_classes(root)) >= FEWEST


def entries(root: Path) -> Iterator[Entry]:
    """One entry a picture, sorted by class and name.

    Raises:
        InputError: no folder of a known class.
    """
    found = _classes(root)
    if not found:
        raise InputError("no folder of a known class", file=root, remedy=GET)
    base = wrapped(root)
    for label in found:
        for name in pictures(base / label):
            path = f"{label}/{name}"
            yield Entry(
                Source(str(base), (path,)), path, labels=(Label("class", "finding", label),)
            )


def _classes(root: Path) -> list[str]:
    base = wrapped(root)
    return [name for name in folders(base) if name in CLASSES] if base.is_dir() else []
