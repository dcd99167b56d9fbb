"""The page: complete, escaped, self-contained, and its numbers those of the evaluation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image as Picture

from hounsfield.evaluation import Difference
from hounsfield.metrics.contract import Cases
from hounsfield.reports import figures as drawn_figures
from hounsfield.reports import html, numbers, words
from hounsfield.reports.figures import FIGURES, Figure
from hounsfield.reports.limits import SIMULATED, limits
from hounsfield.reports.page import fitted
from hounsfield.reports.report import Report
from hounsfield.reports.table import notes as notes_of
from hounsfield.reports.view import View

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Tags that open and close, attributes, and the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if not self.stack or self.stack[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def path(view: View) -> Path:
    (view.run.path / "figures").mkdir()
    Picture.new("RGB", (300, 200), "grey").save(view.run.path / "figures/augmented_sheet.png")
    return html.write(view, task_figures=tuple(FIGURES))


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path.read_text())


def test_is_small_and_fetches_nothing(path: Path, page: Page) -> None:
    text = path.read_text()
    assert len(text.encode()) < 5_000_000
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            value = attributes.get(name, "")
            assert value.startswith(("#", "data:image/")) or value in ("", "scores.html"), value
    assert not re.search(r"url\(\s*['\"]?(?!#)", text), "a style sheet that fetches"
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_sections_ids_and_links_agree(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes.get("href", "")[1:] for tag, attributes in page.tags if tag == "a"]
    assert {link for link in links if link} - {"cores.html"} <= set(ids)
    assert {"data", "audit", "training", "results", "calibration", "failures", "limits"} <= set(ids)


def test_the_headline_is_the_evaluations(page: Page, view: View) -> None:
    first = view.evaluation.first()
    low, high = f"{first.low:.2f}", f"{first.high:.2f}"
    assert (
        f"This is AUROC {first.value:.2f}; with 95 % certainty it lies between {low} and {high}"
        in (page.text.replace("\N{NO-BREAK SPACE}", " "))
    )
    sick = len(set(view.cases.patient[view.cases.truth == 1]))
    assert f"{view.cases.patients} patients ({len(view.cases)} cases), {sick} of them" in page.text


def test_every_estimate_stands_with_its_interval(page: Page, view: View) -> None:
    for one in view.evaluation.overall():
        assert f"{one.title} " in page.text
        assert f"{numbers.value(one)} ({numbers.interval(one)})" in page.text


def test_counts_of_the_parts_are_right(page: Page, view: View) -> None:
    parts = view.run.split.table.group_by("part").agg(pl.col("patient").n_unique(), pl.len())
    for part, patients, cases in parts.iter_rows():
        name = {"train": "Training", "val": "Validation", "test": "Test"}[part]
        assert f"{name} {patients} {cases} " in page.text


def test_findings_plan_and_pictures_are_there(page: Page, view: View) -> None:
    for finding in view.run.findings:
        assert finding.text in page.text
    for path, choice in view.run.resolved.choices.items():
        assert path in page.text
        assert choice.reason in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= 2 + 4, "sheets of two classes and the mistakes"
    assert all(attributes["alt"] for attributes in pictures)
    assert sum(tag == "svg" for tag, _ in page.tags) >= 7
    assert "1 min 15 s" in page.text


def test_files_for_papers_lie_beside_it(path: Path) -> None:
    for name in ("roc", "pr", "reliability", "confusion", "flow", "training", "subgroups"):
        assert (path.parent / f"{name}.png").stat().st_size > 1000
    offline = (path.parent / "scores.html").read_text()
    assert "plotly.js v" in offline
    assert not re.search(r"<script[^>]*src=", offline)


def test_the_model_card_has_numbers_and_limits(path: Path, view: View) -> None:
    card = (path.parent / "model_card.md").read_text()
    first = view.evaluation.first()
    assert f"AUROC: {numbers.value(first)} ({numbers.interval(first)})" in card
    assert "not a medical device" in card
    assert len(card.splitlines()) < 100


def test_the_same_run_gives_the_same_report(write: Callable[..., Page], view: View) -> None:
    pages = [
        write(replace(view, folder=view.run.path / "again"), "training", "mistakes")
        for _ in range(2)
    ]
    assert pages[0].tags == pages[1].tags
    assert pages[0].text == pages[1].text


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Page]:
    """The page with these figures only: drawing all of them takes most of the time."""
    monkeypatch.setattr(drawn_figures, "ALWAYS", ())
    return lambda view, *names: Page(html.write(view, task_figures=names).read_text())


def test_names_cannot_become_markup(build) -> None:
    evil = '<script>alert("x")</script>'
    view = build(classes=("$x_1$ {{ 7*7 }}", evil), source=f"A & B {evil}")
    made = html.write(
        view, task_figures=("roc", "confusion", "scores", "plotly_scores", "mistakes")
    )
    text = made.read_text()
    assert evil in Page(text).text, "shown as words"
    assert "<script" not in text
    assert "{{ 7*7 }}" in text
    assert "<script>alert" not in (made.parent / "model_card.md").read_text()
    assert ">truly $x_1$ {{ 7*7 }} (" in text, "no formula, no template"
    hover = (made.parent / "scores.html").read_text()
    assert "<script>alert" not in hover
    assert r"\u003cscript\u003ealert" not in hover, "plotly reads texts as markup"


def test_unknown_patients_are_said_plainly(build, write) -> None:
    page = write(build(known="unknown"))
    assert "Per image, patients unknown: the intervals may be too narrow." in page.text
    assert "Per image, patients unknown: nothing says which" in page.text
    assert "Training unknown " in page.text


def test_few_patients_are_marked_unreliable(build, write) -> None:
    view = build(patients=60)
    assert not view.evaluation.first().reliable
    page = write(view)
    assert f"AUROC is unreliable: {view.evaluation.first().note}" in page.text
    marked = [a for tag, a in page.tags if tag == "tr" and a.get("class") == "unreliable"]
    unreliable = [e for e in view.evaluation.estimates if not e.reliable]
    assert 0 < len(marked) <= len(unreliable)


@pytest.mark.parametrize(("source", "said"), [("chest-xray phantom", True), ("Hospital A", False)])
def test_simulated_images_are_of_no_clinical_value(build, write, source: str, said: bool) -> None:
    assert (SIMULATED in write(build(source=source)).text) is said


def test_what_it_must_not_be_used_for_follows_from_the_data(page: Page) -> None:
    assert "It has learned from computed radiographs only" in page.text
    assert "No patient under 19 years: it must not be used for children." in page.text
    assert "All its images come from one source (Hospital A)" in page.text


def test_the_fall_against_the_internal_test_is_told(build, write) -> None:
    view = build()
    fall = Difference(
        metric="auroc", title="AUROC", class_name=None, a=0.93, b=0.81, difference=0.12, low=0.05,
        high=0.19, p_value=None, method="mover", test="none", cases=10, patients=10, reliable=True,
        note="",
    )  # fmt: skip
    evaluation = view.evaluation.model_copy(
        update={"fall": fall, "name": "Other hospital", "notes": ("sex=F: only 3 patients",)}
    )
    page = write(replace(view, evaluation=evaluation))
    assert "AUROC was 0.93 on the internal test and is 0.81 here: a fall of +0.12" in page.text
    assert "more than chance explains" in page.text
    assert "The evaluated data, “Other hospital”" in page.text
    assert "Women: only 3 patients" in page.text


def test_a_fall_that_is_undefined_explains_nothing(build, write) -> None:
    view, nan = build(), float("nan")
    fall = Difference(
        metric="auroc", title="AUROC", class_name=None, a=0.93, b=nan, difference=nan, low=nan,
        high=nan, p_value=None, method="mover", test="none", cases=10, patients=10, reliable=False,
        note="external: no case is negative",
    )  # fmt: skip
    evaluation = view.evaluation.model_copy(update={"fall": fall, "name": "Other hospital"})
    page = write(replace(view, evaluation=evaluation))
    assert "AUROC cannot be compared with the internal test" in page.text
    assert "chance explains" not in page.text


def test_a_task_without_classes_has_a_report(build, write) -> None:
    """The report is written against values per case, and knows no task by its name."""
    from hounsfield.evaluation import estimates
    from hounsfield.metrics import standard

    view = build()
    values = {"dice": np.linspace(0.4, 0.95, len(view.cases))}
    cases = Cases.from_columns(values, view.cases.patient)
    found = estimates(standard(columns=["dice"]), cases)
    evaluation = view.evaluation.model_copy(
        update={"task": "segmentation", "headline": "dice", "estimates": found, "classes": ()}
    )
    made = write(
        replace(view, cases=cases, evaluation=evaluation, before=None),
        "roc", "pr", "reliability", "confusion", "scores", "mistakes",
    )  # fmt: skip
    assert f"{found[0].title} is {numbers.value(found[0])}" in made.text
    assert "Values of dice" in made.text
    assert "dice 0.40" in made.text


def test_folds_are_shown_as_cross_validation(build, write) -> None:
    view = build()
    table = view.run.split.table.with_columns(
        pl.when(pl.col("part") == "test").then("part").otherwise(pl.lit("train")).alias("part"),
        pl.when(pl.col("part") != "test").then(pl.int_range(pl.len()) % 5).alias("fold"),
    )
    replace(view.run.split, table=table).save(view.run.path / "data")
    assert "Cross-validation" in write(view).text


def test_sheets_of_the_run_are_shown_over_the_whole_width(path: Path, page: Page) -> None:
    assert "Augmented sheet" in page.text
    assert '<figure class="wide">' in path.read_text()


def test_raw_images_are_shown_once(view: View) -> None:
    for name in ("raw", "intensities"):
        Picture.new("RGB", (30, 20), "grey").save(view.run.sheets / f"{name}.png")
    assert "raw" not in [one.name for one in html.sheets(view, raw=False)]
    assert "raw" in [one.name for one in html.sheets(view, raw=True)]


def test_heavy_pictures_stay_under_the_limit() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 1500, 3), dtype=np.uint8)
    buffer = BytesIO()
    Picture.fromarray(noise).save(buffer, "PNG", compress_level=1)
    heavy = [Figure(f"sheet-{n}", "Sheet", "Raw.", png=buffer.getvalue()) for n in range(3)]
    kept = fitted({"data": heavy}, limit=1_500_000)["data"]
    assert [bool(figure.png) for figure in kept] == [True, False, False]
    assert len(kept[0].png) * 4 / 3 < 900_000
    assert "The picture is a file beside this report." in kept[1].caption


def test_a_report_shows_itself_in_a_notebook(path: Path) -> None:
    shown = Report(path)._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert Page(shown).tags[0][1]["srcdoc"] == path.read_text()


def test_a_log_without_epochs_is_no_error(build, write) -> None:
    view = build()
    for member in view.run.members:
        member.log.write_text("")
    assert "Learning" not in write(view).text


def test_a_shared_reason_is_told_once_and_the_rest_beside_its_measure(build, write) -> None:
    view = build(patients=60)
    few = "only 2 patients with pneumonia: do not rely on it"
    own = f"{few}; undefined in 6% of the resamples"
    notes = {"f1": own, "mcc": own.replace("6", "7")}
    estimates = tuple(
        one.model_copy(update={"reliable": False, "note": notes.get(one.metric, few)})
        for one in view.evaluation.estimates
    )
    view = replace(view, evaluation=view.evaluation.model_copy(update={"estimates": estimates}))
    (said,) = [one for one in limits(view) if "too few patients" in one]
    assert said == f"Its numbers rest on too few patients: {few}."
    told = notes_of(view.evaluation)
    assert told[0] == f"unreliable: {few}"
    assert "F1: undefined in 6% of the resamples" in told
    text = write(view).text
    assert "unreliable: undefined in 6% of the resamples" in text
    assert text.count(f"Unreliable, and hatched: {few}.") == 1
    card = (view.folder / "model_card.md").read_text()
    assert f"Unreliable: {few}." in card
    assert card.count(" – unreliable: undefined in 6% of the resamples") == 1


def test_a_class_that_the_test_lacks_is_told_first(build) -> None:
    view = build(patients=60)
    absent = "No case of pneumonia: some metrics cannot be computed."
    evaluation = view.evaluation.model_copy(update={"notes": ("Something else.", absent)})
    assert words.warnings(replace(view, evaluation=evaluation))[0] == absent
    assert notes_of(evaluation)[0] == absent


def test_where_none_resembles_the_training_data_it_is_said_at_the_top(build) -> None:
    view = build()
    assert not [one for one in words.warnings(view) if "resembles" in one]
    all_of_them = view.evaluation.model_copy(update={"unlike": view.evaluation.cases})
    (said,) = [
        one for one in words.warnings(replace(view, evaluation=all_of_them)) if "resembles" in one
    ]
    assert "do not use the predictions" in said


@pytest.mark.parametrize(("name", "low", "scale"), [
    ("bias", -20.0, "−22 to 1"), ("bias", -0.5, "−1 to 1"), ("r2", -3.0, "−3.3 to 1"),
    ("mcc", -1.0, "−1 to 1"),
])  # fmt: skip
def test_a_scale_reaches_as_far_below_as_its_interval(
    view: View, name: str, low: float, scale: str
) -> None:
    first = view.evaluation.first()
    one = first.model_copy(update={"metric": name, "low": low, "high": 0.5, "value": low / 2})
    line = html.line(one)
    assert line.scale == scale
    assert line.left > 0 or low == -1.0


@pytest.mark.parametrize(("name", "high", "scale"), [
    ("mcc", 1.0000000000000002, "−1 to 1"), ("brier", 1.5, "0 to 1.65"), ("brier", 1.99, "0 to 2"),
])  # fmt: skip
def test_a_scale_ends_where_its_measure_ends(
    view: View, name: str, high: float, scale: str
) -> None:
    one = view.evaluation.first().model_copy(update={"metric": name, "high": high})
    assert html.line(one).scale == scale
