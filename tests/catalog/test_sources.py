"""Sources: what can be left out, and splits in which nothing of the source is trained on."""

from __future__ import annotations

import polars as pl
import pytest

from hounsfield.catalog.sources import Cohort, cohort, drawn, kept, values
from hounsfield.catalog.split import SplitSettings
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog
from hounsfield.errors import InputError, UsageError

SETTINGS = SplitSettings(train=0.6, val=0.2, test=0.2, use_official=False)
CLASSES = ("healthy", "ill")


def catalog(rows: list[tuple[str, str, str]]) -> tuple[Catalog, list[str]]:
    """(patient, source, label) of each case; c0 of source a has view AP, all others PA or none."""
    cases = pl.DataFrame(
        {
            "case": [f"c{n}" for n in range(len(rows))],
            "patient": [patient for patient, _, _ in rows],
            "patient_known": ["given" if source == "a" else "unknown" for _, source, _ in rows],
            "inputs": [[{"channel": "image", "image": f"i{n}"}] for n in range(len(rows))],
            "source": [source for _, source, _ in rows],
            "part": [None] * len(rows),
            "sex": [None] * len(rows),
            "age": [None] * len(rows),
            "view": [
                "AP" if n == 0 else "PA" if s == "a" else None for n, (_, s, _) in enumerate(rows)
            ],
        },
        schema=CASES,
    )
    images = pl.DataFrame(
        {name: [None] * len(rows) for name in IMAGES}
        | {"image": [f"i{n}" for n in range(len(rows))]},
        schema=IMAGES,
    ).with_columns(modality=pl.lit("DX"))
    return Catalog(images, cases, pl.DataFrame(schema=ANNOTATIONS)), [label for *_, label in rows]


ROWS = (
    [(f"a{n // 2}", "a", "ill") for n in range(20)]
    + [(f"b{n}", "b", "healthy") for n in range(20)]
    + [(f"c{n}", "c", CLASSES[n % 2]) for n in range(20)]
)


@pytest.fixture
def made() -> tuple[Catalog, Cohort]:
    """Case 19 of a and case 40 of c are one picture; so are 39 of b and 59 of c."""
    table, labels = catalog(ROWS)
    return table, cohort(table, labels, CLASSES, "source", (("c19", "c40"), ("c39", "c59")))


def test_classes_are_counted_by_source(made: tuple[Catalog, Cohort]) -> None:
    assert made[1].counts == {
        "healthy": {"a": 0, "b": 20, "c": 10},
        "ill": {"a": 20, "b": 0, "c": 10},
    }
    assert made[1].possible == ("a", "b", "c")
    assert "a: the patients of 20 cases are given" in made[1].notes[0]
    assert made[1].notes[-1].startswith("2 pictures stand in several sources (a, b, c)")


def test_a_source_that_alone_has_a_class_cannot_be_left_out() -> None:
    table, labels = catalog(ROWS[:40])
    found = cohort(table, labels, CLASSES, "source")
    assert found.possible == ()
    assert found.impossible["a"] == "without it there is no case of ill to train on"


def test_nothing_of_an_unseen_source_trains(made: tuple[Catalog, Cohort]) -> None:
    table, found = made
    split = found.without(table, "c", SETTINGS)
    source = dict(table.cases.select("case", "source").rows())
    assert {source[case] for case in split.cases("test")} == {"c"}
    assert len(split.cases("test")) == 20
    learned = [*split.cases("train"), *split.cases("val")]
    assert {source[case] for case in learned} == {"a", "b"}
    assert not {"c19", "c39"} & set(learned)  # copies of what is tested
    assert len(learned) == 38
    assert len(split.cases("val")) == pytest.approx(38 / 4, abs=2)


def test_a_patient_of_the_unseen_source_trains_nowhere() -> None:
    rows = [*ROWS, ("a3", "c", "healthy"), ("b7", "c", "ill")]
    table, labels = catalog(rows)
    split = cohort(table, labels, CLASSES, "source").without(table, "c", SETTINGS)
    patients = dict(table.cases.select("case", "patient").rows())
    learned = {patients[case] for part in ("train", "val") for case in split.cases(part)}
    assert not {"a3", "b7"} & learned


def test_the_mixed_split_keeps_patients_and_copies_together(made: tuple[Catalog, Cohort]) -> None:
    table, found = made
    split = found.mixed(table, SETTINGS)
    part = dict(split.table.select("case", "part").rows())
    assert part["c19"] == part["c40"]
    assert part["c39"] == part["c59"]
    assert split.table.group_by("patient").agg(pl.col("part").n_unique())["part"].max() == 1
    sources = dict(table.cases.select("case", "source").rows())
    assert {sources[case] for case in split.cases("test")} == {"a", "b", "c"}


def test_cases_are_drawn_evenly_from_the_sources() -> None:
    table, labels = catalog(ROWS)
    cases = drawn(table, labels, "source", 16, 0)
    chosen = table.cases.filter(pl.col("case").is_in(cases)).with_columns(
        label=pl.Series([labels[int(case[1:])] for case in cases])
    )
    counts = {(s, y): n for s, y, n in chosen.group_by("source", "label").len().rows()}
    assert counts == {("a", "ill"): 8, ("b", "healthy"): 8, ("c", "ill"): 8, ("c", "healthy"): 8}
    assert drawn(table, labels, "source", 16, 0) == cases
    assert drawn(table, labels, "source", 16, 1) != cases
    assert len(drawn(table, labels, "source", 0, 0)) == 60
    scarce = drawn(table, labels, "source", 28, 0)  # c has 10 of each class: the other gives more
    assert len(scarce) == 56


def test_cases_are_kept_by_a_column_and_where_it_says_nothing() -> None:
    table, _ = catalog(ROWS)
    assert kept(table, {"view": "PA, PA erect"}).cases.height == 59
    assert kept(table, {}).cases.height == 60
    with pytest.raises(InputError, match="no case is left where modality is CT"):
        kept(table, {"modality": "CT"})
    with pytest.raises(UsageError, match="no column 'viev'") as error:
        kept(table, {"viev": "PA"})
    assert "view" in str(error.value.remedy)


def test_a_source_may_be_a_column_of_the_images_and_needs_two_values() -> None:
    table, labels = catalog(ROWS)
    assert set(values(table, "modality")) == {"DX"}
    with pytest.raises(InputError, match="all cases have one modality"):
        cohort(table, labels, CLASSES, "modality")
