"""Three planes of a volume, or one flat picture, with letters, a scale and what is to be known."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.geometry import Plane
from hounsfield.image import Image
from hounsfield.reports.planes import (
    OBLIQUE,
    Cut,
    cuts_at,
    grey,
    middle_cuts,
    number,
    pose_of,
    shown_axes,
    sides_known,
)
from hounsfield.reports.planes_labels import coloured, fullest, labels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# All in inches: the drawing has one scale for all its planes.
MOST = (10.0, 5.2)  # of all planes together
MARGIN, GAP, TITLE, BAR, LINE = 0.42, 0.85, 0.3, 0.45, 0.2
NARROWEST = 4.6
GROUND, INK, SOFT = "#0d1117", "#f2f5f8", "#aeb9c4"
DOTS = 140  # an inch


@dataclass(frozen=True, eq=False)
class View:
    """What a picture shows, in 8 bits; `sized` where a step is in mm; the caption's sentences."""

    cuts: tuple[Cut, ...]
    sized: bool
    notes: tuple[str, ...]


def view(image: Image, window: tuple[float, float] | None = None, which: str = "") -> View:
    """The middle planes of an image of one channel, or of red, green and blue.

    `window` is centre and width, in the image's unit: where None, what is drawn decides, and
    labels have colours, in the planes where most is marked.
    `which` says which of several channels this is.
    """
    labels = labels_of(image) if window is None else []
    cuts, told = _of_labels(image, labels) if labels else _of_brightness(image, window)
    notes = [*_place(image, cuts), *([which[0].upper() + which[1:]] if which else []), *told]
    if not sides_known(image):
        cuts = [replace(cut, title=_axes(cut.title), edges="") for cut in cuts]
    return View(tuple(cuts), image.geometry is not None, tuple(notes))


def _of_brightness(image: Image, window: tuple[float, float] | None) -> tuple[list[Cut], list[str]]:
    """Greys or colours in the middle planes, and which values are black and white."""
    sparse = image.stored.get("values") == "fractions"  # of segments
    found = cuts_at(image, fullest(image)) if sparse else middle_cuts(image)
    where = [_where(image, found)] if sparse else []
    cuts, ends = grey(found, window)
    if ends is None:
        return cuts, where
    unit = f" {image.channels[0].unit}" if image.channels[0].unit else ""
    why = "" if window is not None else ", the 1st and 99th percentile of what is shown"
    return cuts, [*where, f"Black {number(ends[0])}, white {number(ends[1])}{unit}{why}"]


def _of_labels(image: Image, labels: Sequence[int]) -> tuple[list[Cut], list[str]]:
    """A colour for each label, in the planes with the most of them; and which planes these are."""
    cuts, told = coloured(cuts_at(image, fullest(image)), labels)
    return cuts, [_where(image, cuts), told]


def _where(image: Image, cuts: Sequence[Cut]) -> str:
    at, sizes = fullest(image), image.shape[:0:-1]
    places = [
        f"{one.title} {at[axis]} of 0 to {sizes[axis] - 1}"
        for one, axis in zip(cuts, shown_axes(image), strict=True)
    ]
    return f"The slices with the most labels: {', '.join(places)}"


def _axes(title: str) -> str:
    return f"{title}, if the format's convention holds" if title else ""


def _place(image: Image, cuts: Sequence[Cut]) -> list[str]:
    """What the caption says of the geometry."""
    geometry = image.geometry
    if geometry is None:
        return ["The file gives no millimetres"]
    if isinstance(geometry, Plane):
        told = {"object": "in the body", "detector": "at the detector", "unknown": ""}
        where = told[geometry.calibration]
        return [f"Millimetres {where}"] if where else []
    side = "right" if any(cut.edges[0] == "R" for cut in cuts) else "front"
    notes = [f"Seen as radiologists do: the patient's {side} is on the left"]
    if not sides_known(image):
        notes = ["The file does not say where the patient's sides are: no letters"]
    pose = pose_of(geometry)
    if pose.turned > OBLIQUE:
        notes.append(
            f"Oblique: the planes follow the voxels, {pose.turned:.1f}° from the body's axes"
        )
    if max(pose.leaning, pose.skewed) > OBLIQUE:
        notes.append(f"Sheared by {max(pose.leaning, pose.skewed):.1f}°, drawn as it lies")
    return notes


def png(seen: View) -> bytes:
    """A view as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawing = draw(seen)
    FigureCanvasAgg(drawing)
    buffer = BytesIO()
    drawing.savefig(buffer, format="png", dpi=DOTS, facecolor=GROUND, metadata={"Software": None})
    return buffer.getvalue()


def draw(seen: View) -> Figure:
    """A view as a figure whose only axes are in inches, from the upper left corner down."""
    from matplotlib.figure import Figure

    outlines = [_outline(cut) for cut in seen.cuts]
    sizes = np.array([np.ptp(outline, axis=0) for outline in outlines])  # (planes, 2)
    inch = float(min(MOST[0] / sizes[:, 0].sum(), MOST[1] / sizes[:, 1].max()))
    wide = float(sizes[:, 0].sum()) * inch + GAP * (len(sizes) - 1) + 2 * MARGIN
    width = max(wide, NARROWEST)
    lines = _wrapped(seen.notes, width)
    top = TITLE + MARGIN if any(cut.title for cut in seen.cuts) else MARGIN / 2
    under = MARGIN if any(cut.edges for cut in seen.cuts) else MARGIN / 2
    bottom = top + float(sizes[:, 1].max()) * inch + under
    height = bottom + (BAR if seen.sized else 0) + LINE * len(lines) + 0.15
    figure = Figure(figsize=(width, height), facecolor=GROUND)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left = MARGIN + (width - wide) / 2
    for cut, outline, size in zip(seen.cuts, outlines, sizes, strict=True):
        down = top + (float(sizes[:, 1].max()) - size[1]) * inch / 2
        corner = np.array((left, down)) - outline.min(axis=0) * inch
        _plane(axes, cut, corner, inch)
        _letters(axes, cut.edges, (left, down), size * inch)
        _words(axes, left + size[0] * inch / 2, down - MARGIN, cut.title)
        left += size[0] * inch + GAP
    if seen.sized:
        _bar(axes, bottom, inch, float(sizes[:, 0].max()))
    for n, line in enumerate(lines):
        at = height - 0.15 - LINE * (len(lines) - n - 0.5)
        _words(axes, MARGIN, at, line, size=8, ha="left", color=SOFT)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    return figure


def _outline(cut: Cut) -> NDArray[np.float64]:
    """(4, 2): the corners of a plane on paper, in mm from its first corner."""
    rows, columns = cut.pixels.shape[:2]
    corners = np.array([(0, 0), (columns, 0), (0, rows), (columns, rows)])
    return np.asarray(corners @ cut.paper_from_pixel.T)


def _plane(axes: Axes, cut: Cut, corner: NDArray[np.float64], inch: float) -> None:
    """The pixels of one plane, at a corner in inches; sheared planes lean as they lie."""
    from matplotlib.transforms import Affine2D

    rows, columns = cut.pixels.shape[:2]
    inch_from_pixel = np.eye(3)
    inch_from_pixel[:2, :2] = cut.paper_from_pixel * inch
    inch_from_pixel[:2, 2] = corner
    few = min(rows, columns) < 64  # pixels that can be seen as such are left alone
    drawn = axes.imshow(
        cut.pixels, cmap="gray", vmin=0, vmax=255, extent=(0, columns, rows, 0),
        interpolation="nearest" if few else "antialiased", aspect="auto",
    )  # fmt: skip
    drawn.set_transform(Affine2D(inch_from_pixel) + axes.transData)


def _letters(
    axes: Axes, edges: str, corner: tuple[float, float], size: NDArray[np.float64]
) -> None:
    left, down = corner
    width, height = size
    off = 0.17
    places = (
        (left - off, down + height / 2), (left + width + off, down + height / 2),
        (left + width / 2, down - off), (left + width / 2, down + height + off),
    )  # fmt: skip
    for letter, (x, y) in zip(edges, places, strict=False):
        _words(axes, x, y, letter, weight="bold")


def _bar(axes: Axes, down: float, inch: float, widest: float) -> None:
    """A scale bar of a round length, about a third of the widest plane."""
    wanted = widest / 3
    power = 10.0 ** np.floor(np.log10(wanted))
    mm = max(n * power for n in (1, 2, 5) if n * power <= wanted)
    y = down + BAR / 2 - 0.1
    axes.plot([MARGIN, MARGIN + mm * inch], [y, y], color=INK, linewidth=2.5,
              solid_capstyle="butt")  # fmt: skip
    _words(axes, MARGIN + mm * inch + 0.1, y, f"{mm:g} mm", size=8, ha="left")


def _words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    look: dict[str, Any] = {"color": INK, "size": 10, "ha": "center", "va": "center"}
    axes.text(x, y, text, parse_math=False, **(look | style))


def _wrapped(notes: Sequence[str], width: float) -> list[str]:
    fits = int((width - 2 * MARGIN) / 0.06)  # characters of 8 points
    return [line for note in notes for line in textwrap.wrap(f"{note}.", fits)]
