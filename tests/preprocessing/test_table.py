"""A table's columns as numbers: what a network is given, and what is refused or told."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from hounsfield.errors import InputError, UsageError
from hounsfield.preprocessing.table import TableSpec


def table(**columns: list[object]) -> pl.DataFrame:
    """Cases c0, c1 … with these columns."""
    size = len(next(iter(columns.values())))
    own = {"case": [f"c{i}" for i in range(size)], "patient": [f"pt-{i}" for i in range(size)]}
    return pl.DataFrame(own | columns)


AGES: list[object] = [20.0, 40.5, 61.0, 33.0, 70.0, 52.0]
SEXES: list[object] = ["F", "M", "M", "F", None, "F"]


def test_numbers_are_standardised_and_categories_coded() -> None:
    cases = table(age=AGES, sex=SEXES)
    spec = TableSpec.fit(cases, ["sex", "age"])
    encoded = spec.encode(cases)
    scaled = StandardScaler().fit_transform(np.array(AGES, float)[:, None])[:, 0]
    assert np.allclose(encoded[:, 0], scaled, atol=1e-6)
    assert encoded[:, 1].tolist() == [1, 2, 2, 1, 3, 1]  # F, M, missing
    hot = spec.one_hot(encoded)
    assert hot[:, 1:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_a_missing_number_is_the_mean_and_flagged_where_that_was_learned() -> None:
    cases = table(age=[20.0, None, 40.0, math.nan, math.inf], bmi=[20, 21, 22, 23, 24])
    spec = TableSpec.fit(cases, ["age", "bmi"])
    encoded = spec.encode(cases)
    assert encoded.shape == (5, 3)  # age, bmi, and a flag of age alone
    assert encoded[:, 2].tolist() == [0, 1, 0, 1, 1]
    assert encoded[1, 0] == 0
    assert np.isfinite(encoded).all()
    new = table(age=[30], bmi=[None])
    assert spec.encode(new).tolist() == [[0, 0, 0]]
    assert spec.unlike(new) == ["bmi missing"]


def test_booleans_are_numbers() -> None:
    spec = TableSpec.fit(table(smoker=[True, False, True, None]), ["smoker"])
    assert spec.columns[0].kind == "number"
    assert spec.columns[0].mean == pytest.approx(2 / 3)


def test_numbers_that_came_as_text_are_numbers() -> None:
    values = [str(20 + i) for i in range(38)] + ["n/a", ">90"]
    cases = table(crp=values)
    spec = TableSpec.fit(cases, ["crp"])
    assert spec.columns[0].kind == "number"
    assert spec.columns[0].high == 57
    assert spec.encode(cases)[:, 1].tolist() == [0] * 38 + [1, 1]
    told = [one.text for one in spec.findings(cases)]
    assert "1 value of crp of 40 training cases are texts" in told[0]
    assert "missing for 1 of 40" in told[1]


def test_text_with_fewer_numbers_is_a_category() -> None:
    spec = TableSpec.fit(table(stage=["1", "2", "3a", "3b", "1", "2"]), ["stage"])
    assert spec.columns[0].levels == ("1", "2", "3a", "3b")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None] * 6, "'x' is empty in the whole training part"),
        (["", "n/a", "?", "unknown", "-", "NaN"], "'x' is empty in the whole training part"),
        ([3.0] * 6, "'x' is the same in all 6 cases"),
        (["a"] * 6, "'x' is the same in all 6 cases"),
        (["a", "b", "c", "d", "e", "f"], "'x' has another text for each case"),
        ([f"a{i // 2}" for i in range(102)], "'x' has 51 different texts"),
    ],
)
def test_a_column_that_says_nothing_is_refused(values: list[object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TableSpec.fit(table(x=values), ["x"])


@pytest.mark.parametrize("name", ["case", "patient", "patient_known", "inputs", "source", "part"])
def test_what_identifies_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="nothing may be learned from it"):
        TableSpec.fit(table(age=AGES), [name])


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'age'"):
        TableSpec.fit(table(age=AGES), ["aeg"])
    with pytest.raises(UsageError, match="twice"):
        TableSpec.fit(table(age=AGES), ["age", "age"])


def test_unseen_categories_are_coded_0_and_told() -> None:
    spec = TableSpec.fit(table(sex=["F", "M", "F", "M"]), ["sex"])
    new = table(sex=["M", "X", None, " F "])
    assert spec.encode(new)[:, 0].tolist() == [2, 0, 0, 1]
    assert spec.unlike(new) == ["", "sex of an unseen category", "sex missing", ""]


def test_numbers_beyond_the_training_part_are_told_without_their_value() -> None:
    spec = TableSpec.fit(table(age=AGES), ["age"])
    said = spec.unlike(table(age=[999, 50, -1]))
    assert said == ["age above the training data's", "", "age below the training data's"]


def test_a_column_that_is_gone_is_refused() -> None:
    spec = TableSpec.fit(table(age=AGES, sex=SEXES), ["age", "sex"])
    for verb in (spec.check, spec.encode, spec.unlike):
        with pytest.raises(InputError, match="no column 'age'") as caught:
            verb(table(sex=["F"]))
        assert caught.value.expected == "age, sex, as in the training data"


def test_an_empty_column_is_refused_where_training_had_it() -> None:
    spec = TableSpec.fit(table(age=AGES, sex=SEXES), ["age", "sex"])
    spec.check(table(age=[50], sex=[None]))  # training missed a sex too
    with pytest.raises(InputError, match="none of the 2 cases has 'age'"):
        spec.check(table(age=[None, None], sex=["F", "M"]))
    spec.check(table(age=[None, 50], sex=["F", "M"]))  # told case by case


def test_text_where_numbers_were_is_refused_by_case_without_its_value() -> None:
    spec = TableSpec.fit(table(age=AGES), ["age"])
    with pytest.raises(InputError) as caught:
        spec.check(table(age=["61", "Jane Roe", "33", "12 May"]))
    said = str(caught.value)
    assert "'age' holds text in 2 of 4 cases, where the training part has numbers (c1, c3)" in said
    assert "Jane" not in said


def test_a_column_made_from_the_label_is_warned_of() -> None:
    labels = ["no", "yes"] * 20
    rng = np.random.default_rng(0)
    cases = table(
        treated=["0" if label == "no" else "1" for label in labels],
        score=[float(label == "yes") + rng.random() * 0.9 for label in labels],
        age=rng.integers(20, 90, 40).tolist(),
        sex=rng.choice(["F", "M"], 40).tolist(),
        when=[None if label == "no" else 5.0 + i for i, label in enumerate(labels)],
    )
    spec = TableSpec.fit(cases, ["treated", "score", "age", "sex", "when"])
    leaks = [one.text for one in spec.findings(cases, labels) if one.kind == "table-leak"]
    assert [text.split(" alone")[0] for text in leaks] == ["treated", "score", "when"]


def test_a_rare_label_is_not_told_by_saying_no() -> None:
    labels = ["no"] * 396 + ["yes"] * 4
    rng = np.random.default_rng(0)
    cases = table(sex=rng.choice(["F", "M"], 400).tolist())
    spec = TableSpec.fit(cases, ["sex"])
    assert not [one for one in spec.findings(cases, labels) if one.kind == "table-leak"]


def test_a_value_that_all_of_a_rare_label_have_tells_it_though_more_of_the_others_have_it() -> None:
    labels = ["yes"] * 5 + ["no"] * 795
    cases = table(ward=["A"] * 15 + ["B", "C"] * 392 + ["C"])
    spec = TableSpec.fit(cases, ["ward"])
    assert [one.kind for one in spec.findings(cases, labels)] == ["table-leak"]


def test_a_running_number_is_warned_of() -> None:
    cases = table(file=list(range(30)))
    kinds = [one.kind for one in TableSpec.fit(cases, ["file"]).findings(cases)]
    assert kinds == ["table-number"]


def test_a_spec_survives_its_file() -> None:
    spec = TableSpec.fit(table(age=AGES, sex=SEXES), ["age", "sex"])
    assert TableSpec.model_validate_json(spec.model_dump_json()) == spec


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-(2**40), 2**40)), min_size=1))
def test_whatever_is_in_a_new_table_its_rows_are_finite(values: list[float | None]) -> None:
    spec = TableSpec.fit(table(age=AGES), ["age"])
    new = table(age=[None if v is None else float(v) for v in values])
    assert np.isfinite(spec.encode(new)).all()
    assert len(spec.unlike(new)) == len(values)


def test_a_code_for_not_known_stays_bounded() -> None:
    spec = TableSpec.fit(table(age=AGES), ["age"])
    assert spec.encode(table(age=[99999.0])).tolist() == [[10.0]]
