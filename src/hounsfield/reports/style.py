"""One look for all figures: the same colours, legible on white paper and in a dark report.

A figure is drawn once. Its PNG has a white ground, for papers; its SVG names its colours by CSS
variables, so that the report's style sheet decides them for light and dark.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GRID, CARD = "#1b2530", "#5b6875", "#d9dee4", "#fffffe"
# Okabe and Ito's colours, darkened where they were too light to read as thin lines on white.
SERIES = ("#0067a5", "#c8501e", "#00805f", "#9d4f86", "#a87500", "#3b8fc4", "#6b6b6b", "#8a3f2d")
VARIABLES = {INK: "--ink", SOFT: "--soft", GRID: "--line", CARD: "--card"} | {
    colour: f"--s{number}" for number, colour in enumerate(SERIES)
}
WIDTH = 4.2  # inches: one column of the report, and readable on a telephone
LINE = 58  # characters that fit under a panel
RC: Any = {
    "figure.figsize": (WIDTH, 3.3),
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "figure.facecolor": CARD,
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$x$"
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.7,
    "svg.fonttype": "none",
}
# From the ground to full blue; the report's dark ground shows through the low end.
SHADES = LinearSegmentedColormap.from_list("shades", [(0.94, 0.96, 0.98), (0.0, 0.404, 0.647)])

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def applied() -> Iterator[None]:
    """The look, within this block only."""
    with rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a class name in Chinese
        yield


def styled(draw: F) -> F:
    """A function that draws with the look applied."""

    @wraps(draw)
    def inner(*args: Any, **kwargs: Any) -> Any:
        with applied():
            return draw(*args, **kwargs)

    return inner  # type: ignore[return-value]  # the same signature


def panel(height: float = 3.3, width: float = WIDTH) -> tuple[Canvas, Axes]:
    """An empty figure of one panel, inches; no global state, so that threads may draw."""
    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(canvas)
    return canvas, canvas.add_subplot()


def series(number: int) -> str:
    """The colour of the n-th class, fold or group."""
    return SERIES[number % len(SERIES)]


def shorten(text: str, length: int = 24) -> str:
    """A label that fits, with … for what was cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def png(canvas: Canvas) -> bytes:
    """For papers: white ground, 220 dots per inch."""
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def svg(canvas: Canvas, name: str) -> str:
    """For the report: an <svg> whose colours are CSS variables and whose ids begin with `name`."""
    buffer = BytesIO()
    with rc_context({"svg.hashsalt": name}):
        canvas.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<g id=\"[^\"]*\"", "<g", text)
    text = _unique_ids(text, name)
    text = re.sub(r"<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>", r'<svg viewBox="\1" role="img">', text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text.strip()


_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def _unique_ids(text: str, name: str) -> str:
    """Several figures share a page: each keeps its own ids. SVG 2 has plain href."""
    text = text.replace("xlink:href", "href")
    text = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)


def legend_below(axes: Axes, columns: int = 1, at: tuple[float, float] = (0.5, -0.17)) -> None:
    """A legend under the panel, where it hides no data; one name a line where they are long."""
    _, labels = axes.get_legend_handles_labels()
    widest = max(map(len, labels), default=0)
    fits = max(1, LINE // (widest + 6))
    axes.legend(loc="upper center", bbox_to_anchor=at, ncols=min(columns, fits))


def clear_ticks(axes: Axes, sides: Sequence[str] = ("top", "right", "left")) -> None:
    """Take away ticks' lines and spines, where a bar or row needs none."""
    axes.tick_params(length=0)
    for side in sides:
        axes.spines[side].set_visible(False)
