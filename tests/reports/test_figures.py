"""One contract for every figure in the list."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield.errors import UsageError
from hounsfield.metrics.contract import Cases
from hounsfield.reports.figures import FIGURES, Figure, Section, draw, module
from hounsfield.reports.figures.mistakes import worst
from hounsfield.reports.figures.subgroups import words
from hounsfield.reports.view import View


@pytest.fixture(scope="module")
def drawn(view: View) -> dict[str, list[Figure]]:
    views = {"agreement": of_numbers(view)}
    return {name: module(name).draw(views.get(name, view)) for name in FIGURES}


def of_numbers(view: View) -> View:
    """The same cases with a number each, true and predicted."""
    truth = np.random.default_rng(0).normal(127, 41, len(view.cases))
    columns = {"truth": truth, "predicted": truth + 3}
    return replace(view, cases=replace(view.cases, columns=columns))


@pytest.mark.parametrize("name", FIGURES)
def test_draws_pictures_that_open(name: str, drawn: dict[str, list[Figure]]) -> None:
    assert module(name).SECTION in get_args(Section)
    assert drawn[name], f"{name} draws nothing of a complete view"
    for figure in drawn[name]:
        assert figure.title
        assert re.fullmatch(r"[a-z0-9_-]+", figure.name), "a name is a file's name"
        assert figure.png or figure.html
        if figure.png:
            with Picture.open(BytesIO(figure.png)) as picture:
                assert min(picture.size) > 50
                assert len(set(picture.convert("L").tobytes())) > 3, "an empty picture"


@pytest.mark.parametrize("name", FIGURES)
def test_svg_is_themed_and_fetches_nothing(name: str, drawn: dict[str, list[Figure]]) -> None:
    for figure in drawn[name]:
        if figure.svg:
            root = ElementTree.fromstring(figure.svg)
            assert root.get("role") == "img"
            assert "var(--ink)" in figure.svg or "var(--soft)" in figure.svg
            assert "http" not in figure.svg
            ids = re.findall(r' id="([^"]+)"', figure.svg)
            assert len(ids) == len(set(ids))
            assert all(one.startswith(f"{figure.name}-") for one in ids)


def test_names_of_files_do_not_collide(drawn: dict[str, list[Figure]]) -> None:
    names = [(f.name, bool(f.html)) for figures in drawn.values() for f in figures]
    assert len(names) == len(set(names))


def test_an_unknown_figure_is_refused(view: View) -> None:
    with pytest.raises(UsageError, match="did you mean 'roc'"):
        draw(view, ["rok"])


def test_roc_names_the_score_of_the_table(drawn: dict[str, list[Figure]], view: View) -> None:
    first = view.evaluation.first()
    assert f"AUROC {first.value:.2f} ({first.low:.2f} to {first.high:.2f})" in drawn["roc"][0].svg


def test_confusion_counts_stand_in_the_picture(drawn: dict[str, list[Figure]], view: View) -> None:
    truth, decision = view.cases.truth, view.cases.decision
    for k, j in np.ndindex(2, 2):
        assert f">{((truth == k) & (decision == j)).sum()}</text>" in drawn["confusion"][0].svg


def test_the_worst_mistakes_are_the_surest_and_one_a_patient() -> None:
    probability = np.array([0.9, 0.6, 0.95, 0.1, 0.99, 0.7, 0.2])
    cases = Cases(
        truth=np.array([0, 0, 1, 1, 0, 0, 1]),
        probability=np.stack([1 - probability, probability], axis=1),
        decision=np.array([1, 1, 1, 0, 1, 1, 0]),
        classes=("no", "yes"),
        patient=np.array(["a", "b", "c", "d", "a", "e", "f"]),
    )
    # Wrong: 0, 1, 3, 4, 5, 6. Patient a's surest is row 4. In turn: false alarm, missed, …
    assert worst(cases, "auroc") == [4, 3, 5, 6, 1]


def test_without_classes_the_lowest_values_are_shown() -> None:
    values = {"dice": np.array([0.9, 0.1, np.nan, 0.5])}
    assert worst(Cases.from_columns(values, np.arange(4)), "dice") == [1, 3, 0]
    false = {"false_positives": np.array([0.0, 3.0, np.nan, 1.0])}
    assert worst(Cases.from_columns(false, np.arange(4)), "false_positives") == [1, 3, 0]


def test_mistakes_say_why_pictures_are_missing(build) -> None:
    view = build(with_files=False)
    (note,) = module("mistakes").draw(view)
    assert not note.png
    assert "link to its files is gone" in note.caption
    assert str(view.folder) not in note.caption


def test_groups_in_words() -> None:
    assert words("sex=F") == "Women"
    assert words("age=<18") == "Age under 18"
    assert words("view=PA") == "View PA"


def test_many_classes_draw(build) -> None:
    view = build(classes=("a", "b", "c"), separation=1.0)
    (roc,) = module("roc").draw(view)
    assert all(f"{name}: AUROC " in roc.svg for name in "abc")
    assert module("reliability").draw(view)
    assert len(module("mistakes").draw(view)) == 8
    right = int((view.cases.truth == view.cases.decision).sum())
    assert f"called right ({right})" in module("scores").draw(view)[0].svg


def test_all_cases_are_in_the_flow_when_classes_are_many(build) -> None:
    view = build(classes=tuple("abcdefghijkl"), with_files=False)
    (flow,) = module("flow").draw(view)
    for part in ("train", "val", "test"):
        assert f"{len(view.run.split.cases(part))} cases" in flow.svg
    assert "5 other classes" in flow.svg


def test_many_labels_draw_one_panel_each(build) -> None:
    view = build(classes=("a", "b", "c"), multilabel=True)
    assert len(module("confusion").draw(view)) == 3
    assert len(module("scores").draw(view)) == 3
    assert "The model says otherwise" in module("mistakes").draw(view)[0].caption


def test_few_cases_have_few_bins(view: View) -> None:
    counts = []
    for n in (39, 100):
        few = replace(view, cases=view.cases.take(np.arange(n)), table=view.table[:n], before=None)
        (figure,) = module("reliability").draw(few)
        counts.append(figure.svg.count("<use "))
    assert counts[1] - counts[0] == 10 - 3, "points of ten cases each"


def test_what_is_noise_is_not_drawn(build) -> None:
    view = build(patients=20, with_files=False)
    for name in ("roc", "reliability"):
        (note,) = module(name).draw(view)
        assert not note.png
        assert note.caption.startswith("Not drawn: ")
    assert module("pr").draw(view) == []
    log = view.run.members[0].log
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[:2]))
    (note,) = module("training").draw(view)
    assert "no learning curve yet" in note.caption
    log.write_text("\n".join(lines[:3]))
    assert [bool(figure.svg) for figure in module("training").draw(view)] == [True, True]
