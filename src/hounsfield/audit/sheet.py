"""Near duplicates side by side, for an eye to judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.audit.exact import images_of_cases
from hounsfield.audit.results import SHEET, Audit
from hounsfield.catalog.tables import Catalog
from hounsfield.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 20  # pairs on the sheet; the least alike, which most need an eye
PIXELS = 400  # a side, at most


def draw(audit: Audit, catalog: Catalog) -> Figure | None:
    """The pairs that are least alike first, two pairs a row; None where there is none.

    Raises:
        InputError: the catalog's link to its files is gone, or a file is.
    """
    pairs = sorted(
        (pair for group in audit.near for pair in group.pairs), key=lambda pair: pair.correlation
    )
    if not pairs:
        return None
    from hounsfield.preprocessing.figures import sheet

    shown = pairs[:MOST]
    cases = [case for pair in shown for case in (pair.first, pair.second)]
    captions = []
    for pair in shown:
        captions += [_short(pair.first), f"= {_short(pair.second)}, {pair.correlation:.3f}"]
    title = f"Near duplicates: {len(shown)} of {len(pairs)} pairs, with their correlation"
    return sheet(_pictures(catalog, cases), captions, title, columns=4)


def save(audit: Audit, catalog: Catalog, folder: str | Path) -> Path | None:
    """Write near_duplicates.png into a folder where there are any, and say where it is."""
    figure = draw(audit, catalog)
    if figure is None:
        return None
    path = Path(folder) / SHEET
    with whole_file(path) as file:
        figure.savefig(file, format="png", dpi=140)
    return path


def _pictures(catalog: Catalog, cases: list[str]) -> list[NDArray[Any]]:
    first = images_of_cases(catalog).unique("case", keep="first")
    wanted = dict(first.filter(pl.col("case").is_in(cases)).iter_rows())
    pictures = []
    for source in catalog.sources([wanted[case] for case in cases]):
        array = formats.read(source).array
        step = max(1, min(array.shape[-2:]) // PIXELS)
        pictures.append(array[..., ::step, ::step])
    return pictures


def _short(case: str) -> str:
    return case if len(case) <= 7 else f"…{case[-6:]}"
