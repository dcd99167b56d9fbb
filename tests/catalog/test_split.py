"""The split: disjoint by patient, alike in labels, the same for the same seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.catalog.split import SPLIT_FILE, Split, SplitSettings, split
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog
from hounsfield.errors import InputError, UsageError


def catalog_of(
    patients: Sequence[str],
    *,
    parts: Sequence[str | None] | None = None,
    sources: Sequence[str] | None = None,
    known: str = "given",
) -> Catalog:
    """One image a case, in the order given."""
    names = [f"c{row}" for row in range(len(patients))]
    data = {
        "patient": list(patients),
        "patient_known": [known] * len(patients),
        "source": list(sources or ["a"] * len(patients)),
    }
    images = pl.DataFrame({"image": names, **data}, schema_overrides=IMAGES)
    cases = pl.DataFrame(
        {
            "case": names,
            **data,
            "inputs": [[{"channel": "image", "image": name}] for name in names],
            "part": list(parts or [None] * len(patients)),
        },
        schema_overrides=CASES,
    )
    empty = [pl.lit(None, IMAGES[name]).alias(name) for name in IMAGES if name not in images]
    return Catalog(images.with_columns(empty), cases, pl.DataFrame(schema=ANNOTATIONS))


def parts_of(made: Split, column: str = "part") -> dict[str, set[object]]:
    """Patient -> the parts that its cases are in."""
    homes: dict[str, set[object]] = defaultdict(set)
    for patient, part in zip(made.table["patient"], made.table[column], strict=True):
        homes[patient].add(part)
    return homes


grouping = st.lists(st.integers(0, 40), min_size=60, max_size=200).filter(
    lambda ids: len(set(ids)) >= 12
)


@settings(deadline=None, max_examples=60)
@given(ids=grouping, seed=st.integers(0, 5), folds=st.sampled_from([1, 3, 5]), data=st.data())
def test_no_patient_is_in_two_parts_and_every_case_is_in_one(
    ids: list[int], seed: int, folds: int, data: st.DataObject
) -> None:
    labels = ["ab"[row % 2] for row in range(len(ids))]
    pairs = st.lists(st.tuples(*[st.integers(0, len(ids) - 1)] * 2), max_size=5)
    same = [(f"c{one}", f"c{other}") for one, other in data.draw(pairs)]
    catalog = catalog_of([f"p{number}" for number in ids])
    wanted = SplitSettings(seed=seed, folds=folds)
    made = split(catalog, pl.Series(labels), wanted, groups=same)
    assert made.table["case"].to_list() == catalog.cases["case"].to_list()
    assert made.table["part"].null_count() == 0
    assert all(len(parts) == 1 for parts in parts_of(made).values())
    assert all(len(parts) == 1 for parts in parts_of(made, "fold").values())
    home = dict(zip(made.table["case"], made.table.select("part", "fold").rows(), strict=True))
    assert all(home[one] == home[other] for one, other in same)
    again = split(catalog, pl.Series(labels), wanted, groups=same)
    assert made.table.equals(again.table)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), rare=st.floats(0.03, 0.5))
def test_labels_and_sources_are_shared_alike(seed: int, rare: float) -> None:
    rows = 600
    labels = ["ill" if row < rows * rare else "well" for row in range(rows)]
    sources = ["a" if row % 3 else "b" for row in range(rows)]
    catalog = catalog_of([f"p{row // 2}" for row in range(rows)], sources=sources)
    made = split(catalog, pl.Series(labels), SplitSettings(seed=seed))
    strata = Counter(zip(labels, sources, strict=True))
    for part, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        got = Counter(
            (labels[row], sources[row]) for row, p in enumerate(made.table["part"]) if p == part
        )
        for stratum, count in strata.items():
            assert abs(got[stratum] - share * count) <= 3, (part, stratum)


def test_pseudonyms_do_not_change_the_split() -> None:
    """Row order and seed decide: another key of the pseudonyms gives the same parts."""
    labels = pl.Series(["ab"[row % 2] for row in range(90)])
    one = split(catalog_of([f"p{row // 3}" for row in range(90)]), labels)
    other = split(catalog_of([f"x{99 - row // 3}" for row in range(90)]), labels)
    assert one.table["part"].equals(other.table["part"])
    moved = split(catalog_of([f"p{row // 3}" for row in range(90)]), labels, SplitSettings(seed=1))
    assert not one.table["part"].equals(moved.table["part"])


def test_each_class_reaches_each_part_even_where_it_is_rare() -> None:
    labels = ["ill"] * 3 + ["well"] * 197
    made = split(catalog_of([f"p{row}" for row in range(200)]), pl.Series(labels))
    ill = made.table.head(3)
    assert sorted(ill["part"]) == ["test", "train", "val"]
    assert not [f for f in made.findings if f.kind == "class-absent"]


def test_a_class_that_a_part_lacks_is_said() -> None:
    labels = ["ill"] * 2 + ["well"] * 198
    made = split(catalog_of([f"p{row}" for row in range(200)]), pl.Series(labels))
    absent = [f for f in made.findings if f.kind == "class-absent"]
    assert [f.text for f in absent] == ["no case of ill in val", "no case of ill in test"]


def test_folds_share_out_all_but_the_test_part() -> None:
    labels = pl.Series(["ab"[row % 2] for row in range(200)])
    made = split(catalog_of([f"p{row}" for row in range(200)]), labels, SplitSettings(folds=5))
    held = [made.fold(k)[1] for k in range(5)]
    assert sorted(sum(held, made.cases("test"))) == sorted(made.table["case"])
    assert {len(cases) for cases in held} == {34}
    for k in range(5):
        train, val = made.fold(k)
        assert not set(train) & set(val)
        assert len(train) + len(val) == 170
    assert made.cases("val") == []
    with pytest.raises(UsageError, match="no fold 5"):
        made.fold(5)


def kermany(val: int = 8, rows: int = 400) -> tuple[Catalog, pl.Series]:
    """Train, a validation part of 2 × `val` pictures, test: as the public set has them."""
    parts = ["train"] * rows + ["val"] * (2 * val) + ["test"] * 100
    labels = ["ab"[row % 2] for row in range(len(parts))]
    ids = [f"p{row // 2}" for row in range(len(parts))]
    return catalog_of(ids, parts=parts, known="guessed"), pl.Series(labels)


def test_a_tiny_official_validation_part_is_refilled_by_patient() -> None:
    catalog, labels = kermany()
    made = split(catalog, labels)
    (said,) = [f for f in made.findings if f.kind == "refilled"]
    assert "8 a, 8 b" in said.text
    assert set(made.cases("test")) == set(catalog.cases.filter(part="test")["case"])
    assert set(made.cases("val")) > set(catalog.cases.filter(part="val")["case"])
    val = made.table.with_columns(label=labels).filter(part="val")["label"].value_counts()
    assert min(val["count"]) >= 50
    assert all(len(parts) == 1 for parts in parts_of(made).values())
    kept = split(catalog, labels, SplitSettings(min_per_class=0))
    assert len(kept.cases("val")) == 16


def test_refilling_never_takes_more_than_a_quarter_of_training() -> None:
    catalog, labels = kermany(val=2, rows=60)
    made = split(catalog, labels)
    assert len(made.cases("val")) == pytest.approx(64 / 4, abs=3)
    assert any(f.kind == "small-validation" for f in made.findings)


def test_an_official_validation_part_of_enough_cases_stays() -> None:
    catalog, labels = kermany(val=60)
    made = split(catalog, labels)
    assert made.table["part"].to_list() == catalog.cases["part"].to_list()


def test_validation_is_taken_from_training_where_only_a_test_part_is_official() -> None:
    parts = ["train"] * 300 + ["test"] * 100
    labels = pl.Series(["ab"[row % 2] for row in range(400)])
    made = split(catalog_of([f"p{row // 2}" for row in range(400)], parts=parts), labels)
    assert len(made.cases("test")) == 100
    assert 50 <= len(made.cases("val")) <= 100
    assert any(f.kind == "no-official-val" for f in made.findings)


@pytest.mark.parametrize(
    ("known", "severity"), [("given", "stop"), ("mapped", "stop"), ("guessed", "warning")]
)
def test_a_patient_in_two_official_parts_is_found(known: str, severity: str) -> None:
    parts = ["train"] * 200 + ["val"] * 120 + ["test"] * 80
    ids = [f"p{row}" for row in range(400)]
    ids[0] = ids[399]  # one patient trains and tests
    labels = pl.Series(["ab"[row % 2] for row in range(400)])
    made = split(catalog_of(ids, parts=parts, known=known), labels)
    (found,) = [f for f in made.findings if f.kind == "patient-overlap"]
    assert found.severity == severity
    assert found.groups == (("c0", "c399"),)
    assert made.table["part"].to_list() == parts  # the caller decides what follows
    free = split(
        catalog_of(ids, parts=parts, known=known), labels, SplitSettings(use_official=False)
    )
    assert all(len(homes) == 1 for homes in parts_of(free).values())


def test_unknown_patients_never_overlap() -> None:
    parts = ["train"] * 200 + ["val"] * 120 + ["test"] * 80
    catalog = catalog_of([f"p{row}" for row in range(400)], parts=parts, known="unknown")
    made = split(catalog, pl.Series(["ab"[row % 2] for row in range(400)]))
    assert not [f for f in made.findings if f.kind == "patient-overlap"]


def test_a_source_with_parts_and_one_without_go_together() -> None:
    parts = ["train"] * 200 + ["val"] * 120 + ["test"] * 80 + [None] * 200
    sources = ["official"] * 400 + ["own"] * 200
    ids = [f"p{row}" for row in range(600)]
    ids[599] = "p399"  # a patient of the official test part
    labels = pl.Series(["ab"[row % 2] for row in range(600)])
    made = split(catalog_of(ids, parts=parts, sources=sources), labels)
    assert made.table["part"].to_list()[:400] == parts[:400]
    own = Counter(made.table["part"].to_list()[400:])
    assert own["train"] == pytest.approx(140, abs=3)
    assert made.table["part"][599] == "test"


def test_another_group_column_stays_together_with_its_patients() -> None:
    catalog = catalog_of(
        [f"p{row // 2}" for row in range(200)], sources=[f"site{row // 10}" for row in range(200)]
    )
    made = split(
        catalog, pl.Series(["ab"[row % 2] for row in range(200)]), SplitSettings(group="source")
    )
    homes = defaultdict(set)
    for source, part in zip(catalog.cases["source"], made.table["part"], strict=True):
        homes[source].add(part)
    assert all(len(parts) == 1 for parts in homes.values())
    with pytest.raises(UsageError, match="did you mean 'source'"):
        split(catalog, None, SplitSettings(group="sourcee"))


def test_a_group_that_official_parts_tear_is_said() -> None:
    parts = [("train", "val", "test")[row // 4 % 3] for row in range(300)]
    catalog = catalog_of(
        [f"p{row}" for row in range(300)],
        parts=parts,
        sources=[f"site{row // 6}" for row in range(300)],
    )
    labels = pl.Series(["ab"[row % 2] for row in range(300)])
    made = split(catalog, labels, SplitSettings(group="source", min_per_class=0))
    (said,) = [one for one in made.findings if one.kind == "group-torn"]
    homes = defaultdict(set)
    for source, part in zip(catalog.cases["source"], made.table["part"], strict=True):
        homes[source].add(part)
    torn = sum(len(parts) > 1 for parts in homes.values())
    assert torn > 20
    assert said.text.startswith(f"{torn} values of source")
    assert len(said.groups) == torn
    anew = split(catalog, labels, SplitSettings(group="source", use_official=False))
    assert "group-torn" not in {one.kind for one in anew.findings}


def test_ten_patients_are_enough() -> None:
    labels = pl.Series(["ab"[row % 2] for row in range(10)])
    made = split(catalog_of([f"p{row}" for row in range(10)]), labels)
    for part in ("train", "val", "test"):
        held = [labels[row] for row, home in enumerate(made.table["part"]) if home == part]
        assert set(held) == {"a", "b"}


def test_a_task_without_classes_is_split_by_source_alone() -> None:
    made = split(catalog_of([f"p{row}" for row in range(100)]), None)
    assert Counter(made.table["part"]) == {"train": 70, "val": 15, "test": 15}


@pytest.mark.parametrize(
    ("patients", "labels", "folds", "message"),
    [
        (["p"] * 9, list("ababababa"), 1, "one patient only"),
        (["p", "q"] * 5, list("ababababab"), 1, "2 patients only"),
        (list("pqrstuv"), list("abababa"), 7, "7 patients only"),
        (list("pqrs"), [None] * 4, 1, "no case has a label"),
        (list("pqrs"), list("aaaa"), 1, "all cases have the same label"),
        ([], [], 1, "no cases"),
    ],
)
def test_what_no_split_can_serve_is_refused(
    patients: list[str], labels: list[str | None], folds: int, message: str
) -> None:
    series = pl.Series(labels, dtype=pl.String)
    with pytest.raises(InputError, match=message) as refused:
        split(catalog_of(patients), series, SplitSettings(folds=folds))
    assert refused.value.remedy


def test_only_a_test_part_leaves_nothing_to_train_on() -> None:
    catalog = catalog_of([f"p{row}" for row in range(9)], parts=["test"] * 9)
    with pytest.raises(InputError, match="no case is left for training"):
        split(catalog, pl.Series(list("ababababa")))


def test_fractions_make_a_whole() -> None:
    with pytest.raises(UsageError, match=r"train \+ val \+ test is 1\.15"):
        SplitSettings(train=0.85)
    with pytest.raises(UsageError, match="train 0"):
        SplitSettings(train=0, val=0.5, test=0.5)


def test_a_split_comes_back_from_its_file(tmp_path) -> None:
    catalog, labels = kermany()
    made = split(catalog, labels)
    made.save(tmp_path)
    back = Split.load(tmp_path)
    assert back.table.equals(made.table)
    assert back.findings == made.findings
    for damage in (b"", b"PAR1 of nothing"):
        (tmp_path / SPLIT_FILE).write_bytes(damage)
        with pytest.raises(InputError, match="the split cannot be read"):
            Split.load(tmp_path)
    with pytest.raises(InputError, match="there is no split"):
        Split.load(tmp_path / "elsewhere")
