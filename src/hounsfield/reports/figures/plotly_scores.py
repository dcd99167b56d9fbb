"""The scores once more, to hover over: a page of its own that works offline."""

from __future__ import annotations

from html import escape

import numpy as np

from hounsfield.metrics.classification import actual
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "results"
CAPTION = "Each point is a case: hover to see which, its patient, its label and its probability."
TITLE = "Scores, interactive"


def draw(view: View) -> list[Figure]:
    """One page with a strip of points for each class; none for a task without classes."""
    if not view.cases.classes or not len(view.cases):
        return []
    from plotly import graph_objects as go

    rng = np.random.default_rng(0)
    page = go.Figure()
    texts = np.array([_hover(row) for row in view.table.iter_rows(named=True)], dtype=object)
    looked = view.cases.probability[:, -1] if len(view.cases.classes) == 2 else None
    for k, name in enumerate(view.cases.classes):
        mine = actual(view.cases, k)
        score = view.cases.probability[mine, k] if looked is None else looked[mine]
        page.add_scatter(
            x=score.round(4),
            y=k + rng.uniform(-0.3, 0.3, mine.sum()).round(3),
            mode="markers",
            name=f"truly {escape(name)}",
            marker={"color": style.series(k), "size": 8, "opacity": 0.65},
            text=texts[mine],
            hoverinfo="text",
        )
    of = view.cases.classes[-1] if looked is not None else "the true class"
    page.update_layout(
        title=f"Calibrated probability of {escape(of)}",
        template="simple_white",
        xaxis={"range": [-0.02, 1.02], "title": "probability"},
        yaxis={"visible": False},
        legend={"orientation": "h"},
    )
    html = page.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return [Figure("scores", TITLE, CAPTION, html=html)]


def _hover(row: dict[str, object]) -> str:
    """plotly reads text as HTML, so that it is escaped here."""
    shown = {name: row.get(name) for name in ("image", "patient", "label", "prediction")}
    shown |= {
        name: f"{value:.3f}" for name, value in row.items()
        if name.startswith("p_") and isinstance(value, float)
    }  # fmt: skip
    return "<br>".join(
        f"{escape(str(name))}: {escape(str(value))}" for name, value in shown.items()
    )
