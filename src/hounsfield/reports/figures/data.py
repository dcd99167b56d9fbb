"""What the images look like: a few of each class of the training part, and the run's own sheets."""

from __future__ import annotations

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import HounsfieldError
from hounsfield.reports.facts import labelled
from hounsfield.reports.figures import pictures
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "data"
TITLE = "What the images look like"
EACH = 4
MOST_CLASSES = 6


def draw(view: View) -> list[Figure]:
    """A row of raw images for each class; a note where the files are gone."""
    catalog = view.data
    table = labelled(view).filter(pl.col("part").is_in(["train", "folds"]))
    figures = []
    try:
        for number, label in enumerate(table["label"].unique(maintain_order=True)[:MOST_CLASSES]):
            cases = table.filter(pl.col("label") == label)["case"].to_list()
            shown = pictures.read(catalog, _inputs(catalog, _spread(cases)))
            name = f"data-{number + 1}" if number else "data"
            caption = f"{len(shown)} of {len(cases):,} training cases, as stored."
            figures.append(Figure(name, label, caption, png=pictures.sheet(shown)))
    except HounsfieldError as error:
        return [pictures.unavailable("data", TITLE, error)]
    return figures


def _spread(cases: list[str]) -> list[str]:
    """A few cases, evenly over the list: neighbours are often of one patient."""
    step = max(1, len(cases) // EACH)
    return cases[::step][:EACH]


def _inputs(catalog: Catalog, cases: list[str]) -> list[str]:
    first = {
        row["case"]: row["inputs"][0]["image"]
        for row in catalog.cases.filter(pl.col("case").is_in(cases)).iter_rows(named=True)
    }
    return [first[case] for case in cases]
