"""Figures by name: one file each, imported when needed.

A figure's module has
    SECTION: Section               where the report shows it
    draw(view) -> list[Figure]     none where there is nothing to show
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.files import whole_file
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

FIGURES = {  # name -> module, imported when first needed
    "flow": "hounsfield.reports.figures.flow",
    "data": "hounsfield.reports.figures.data",
    "training": "hounsfield.reports.figures.training",
    "roc": "hounsfield.reports.figures.roc",
    "pr": "hounsfield.reports.figures.pr",
    "confusion": "hounsfield.reports.figures.confusion",
    "agreement": "hounsfield.reports.figures.agreement",
    "grades": "hounsfield.reports.figures.grades",
    "scores": "hounsfield.reports.figures.scores",
    "plotly_scores": "hounsfield.reports.figures.plotly_scores",
    "reliability": "hounsfield.reports.figures.reliability",
    "subgroups": "hounsfield.reports.figures.subgroups",
    "mistakes": "hounsfield.reports.figures.mistakes",
}
# whatever the task: each draws what there is, or nothing
ALWAYS = ("flow", "data", "training", "scores", "subgroups", "mistakes", "plotly_scores")


class Module(Protocol):
    """What a figure's module has."""

    SECTION: Section

    def draw(self, view: View) -> list[Figure]: ...


def module(name: str) -> Module:
    """A figure's module; an unknown name is a UsageError."""
    if name not in FIGURES:
        raise UsageError(f"there is no figure {name!r}", remedy=did_you_mean(name, FIGURES))
    return cast(Module, import_module(FIGURES[name]))


def draw(view: View, names: Sequence[str]) -> dict[Section, list[Figure]]:
    """Draw figures, save them into the evaluation's folder, and sort them by the report's sections.

    The order is that of `names`, each drawn once.
    """
    found: dict[Section, list[Figure]] = {}
    for name in dict.fromkeys(names):
        made = module(name)
        figures = made.draw(view)
        for figure in figures:
            save(view, figure)
        found.setdefault(made.SECTION, []).extend(figures)
    return found


def save(view: View, figure: Figure) -> None:
    """The figure as a file beside the report: NAME.png, or NAME.html."""
    for suffix, content in (("png", figure.png), ("html", (figure.html or "").encode())):
        if content:
            with whole_file(view.folder / f"{figure.name}.{suffix}") as file:
                file.write(content)


__all__ = ["ALWAYS", "FIGURES", "Figure", "Section", "draw", "module", "save"]
