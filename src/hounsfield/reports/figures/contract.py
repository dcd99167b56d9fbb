"""What a figure is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hounsfield.reports import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Section = Literal["data", "training", "results", "calibration", "subgroups", "failures"]


@dataclass(frozen=True)
class Figure:
    """A picture with its title and caption (plain text, escaped where it is shown).

    png: for papers, and for the report where there is no svg. svg: an element that takes the
    report's colours. html: an interactive page of its own beside the report.
    A figure without any of them is a note: its caption says why there is no picture.
    """

    name: str
    title: str
    caption: str
    png: bytes = b""
    svg: str = ""
    html: str = ""
    small: bool = False  # one of many: the report sets several side by side
    wide: bool = False  # a line of its own, as wide as the text

    @classmethod
    def of(cls, canvas: Canvas, name: str, title: str, caption: str) -> Figure:
        """A finished drawing as SVG and PNG."""
        png = style.png(canvas)
        canvas.set_layout_engine("none")  # laid out once: the SVG is the same drawing
        return cls(name, title, caption, png=png, svg=style.svg(canvas, name))
