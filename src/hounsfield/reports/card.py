"""model_card.md: the report on one page, to lie beside the model."""

from __future__ import annotations

from pathlib import Path

from hounsfield.files import whole_file
from hounsfield.reports import facts, limits, method, page, words
from hounsfield.reports.view import View


def write(view: View) -> Path:
    """The model card in the evaluation's folder."""
    context = {
        "view": view,
        "title": words.title(view),
        "headline": words.headline(view),
        "warnings": words.warnings(view),
        "limits": limits.limits(view),
        "cautions": words.cautions(view.evaluation),
        "overall": view.evaluation.overall(),
        "parts": facts.rows(view),
        "known": facts.known(view.evaluation.patients_known),
        "people": facts.people(view.data),
        "key_values": method.key_values(view.resolved),
        "versions": view.run.versions,
    }
    path = view.folder / "model_card.md"
    with whole_file(path) as file:
        file.write(page.render("model_card.md.j2", context))
    return path
