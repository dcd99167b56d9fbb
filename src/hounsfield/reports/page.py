"""Pages: templates filled with everything escaped, pictures inside, nothing from the network."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image as Picture

from hounsfield.reports import numbers
from hounsfield.reports.figures.contract import Figure, Section

LIMIT = 5_000_000  # bytes of a report
FOR_WORDS = 600_000  # of them, kept for text, style and the plan
WIDEST = 1100  # pixels of an embedded picture
JPEG = 82  # quality of what is too heavy as PNG

Figures = dict[Section, list[Figure]]


@cache
def template(name: str) -> Template:
    """A template of this room; a name that it does not know is an error, not an empty string."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(n=numbers, picture=picture, style_sheet=style_sheet)
    environment.filters["code"] = code
    return environment.get_template(name)


def render(name: str, context: Mapping[str, Any]) -> bytes:
    return template(name).render(context).encode()


@cache
def style_sheet() -> Markup:
    return Markup((Path(__file__).parent / "templates/style.css").read_text())  # noqa: S704  ours


def code(text: str) -> Markup:
    """Text with its `commands` set as code, all else escaped."""
    plain = re.split(r"`([^`]+)`", text)
    parts = [Markup("<code>{}</code>").format(one) if i % 2 else one for i, one in enumerate(plain)]
    return Markup("").join(parts)


def picture(figure: Figure) -> Markup:
    """The element that shows a figure: its SVG, or its picture as a data URI."""
    if figure.svg:
        label = Markup.escape(figure.title)
        return Markup(figure.svg.replace('role="img"', f'role="img" aria-label="{label}"', 1))  # noqa: S704  matplotlib escapes text
    kind = "png" if figure.png.startswith(b"\x89PNG") else "jpeg"
    data = b64encode(figure.png).decode()
    return Markup('<img src="data:image/{};base64,{}" alt="{}">').format(kind, data, figure.title)


def fitted(figures: Figures, limit: int = LIMIT) -> Figures:
    """The same figures, small enough together: heavy pictures become JPEG, the last are left out.

    What is left out stays as a file beside the report, and a note stands in its place.
    """
    left = limit - FOR_WORDS - sum(len(one.svg) for group in figures.values() for one in group)
    found: Figures = {}
    for section, group in figures.items():
        found[section] = []
        for figure in group:
            shown = figure
            if figure.png and not figure.svg:
                shown = replace(figure, png=lighter(figure.png))
                size = len(shown.png) * 4 // 3 + 200
                if size > left:
                    note = f"{figure.caption} (The picture is a file beside this report.)"
                    shown, size = replace(figure, png=b"", caption=note), 0
                left -= size
            found[section].append(shown)
    return found


def lighter(png: bytes) -> bytes:
    """A PNG as it is if it is light, else narrowed and as JPEG."""
    if len(png) <= 120_000:
        return png
    with Picture.open(BytesIO(png)) as source:
        image = source.convert("RGBA")
    ground = Picture.new("RGBA", image.size, "white")
    image = Picture.alpha_composite(ground, image).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, max(1, round(image.height * WIDEST / image.width))))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG, optimize=True)
    return buffer.getvalue()
