"""Copies leave training; patients known for sure in two parts stop; guessed ones warn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.audit import Audit, against, apply, audit
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.split import Split
from hounsfield.errors import LeakError

RANK = ["train", "val", "test"]


def parts(split: Split) -> dict[str, str]:
    return dict(split.table.select("case", "part").iter_rows())


@pytest.mark.parametrize(
    ("placed", "left"),
    [
        (("train", "test"), {"c1": "test"}),
        (("train", "val"), {"c1": "val"}),
        (("val", "test"), {"c1": "test"}),
        (("train", "val", "test", "train"), {"c2": "test"}),
        (("train", "train"), {"c0": "train", "c1": "train"}),
        (("test", "test"), {"c0": "test", "c1": "test"}),
    ],
)
def test_a_copy_stays_where_it_is_judged_by(
    placed: Sequence[str], left: dict[str, str], shared: Callable
) -> None:
    group = tuple(f"c{row}" for row in range(len(placed)))
    split = shared([*placed, "train"])
    kept, findings = apply(Audit(exact=(group,)), split)
    other = f"c{len(placed)}"
    assert parts(kept) == {**left, other: "train"}
    listed = {case for finding in findings for case in finding.groups[0]}
    assert listed == set(group) - set(left)


@given(st.data())
def test_after_dropping_no_group_is_in_two_parts_or_folds(
    shared: Callable, data: st.DataObject
) -> None:
    n = 12
    placed = data.draw(st.lists(st.sampled_from(RANK), min_size=n, max_size=n))
    folds = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    cases = st.sampled_from([f"c{i}" for i in range(n)])
    links = data.draw(st.lists(st.tuples(cases, cases), max_size=6))
    found = Audit(exact=tuple(links))
    paired = zip(folds, placed, strict=True)
    split = shared(placed, folds=[fold if part == "train" else None for fold, part in paired])
    kept, _ = apply(found, split)
    home = dict(zip(kept.table["case"], kept.table.select("part", "fold").rows(), strict=True))
    for group in found.duplicates:
        assert len({home[case] for case in group if case in home}) == 1
    untouched = set(split.table["case"]) - {case for group in found.duplicates for case in group}
    assert untouched <= set(home)
    assert set(split.cases("test")) <= set(home), "a test image was dropped"


def test_stop_refuses_copies_and_names_them(shared: Callable) -> None:
    with pytest.raises(LeakError, match="c0, c1"):
        apply(Audit(exact=(("c0", "c1"),)), shared(["train", "test"]), "stop")
    split = shared(["train", "train"])
    assert apply(Audit(exact=(("c0", "c1"),)), split, "stop") == (split, ())


@pytest.mark.parametrize("known", ["given", "mapped", "guessed", "unknown"])
@pytest.mark.parametrize("level", ["part", "fold"])
def test_patients_in_two_parts_by_how_they_are_known(
    known: str, level: str, build: Callable, noise: Callable, shared: Callable, tmp_path: Path
) -> None:
    patients = ["p", "q", "p"]
    catalog = build([noise(i) for i in range(3)], patients=patients, known=known)
    if level == "part":
        split = shared(["train", "train", "test"], patients)
    else:
        split = shared(["train"] * 3, patients, [0, 1, 1])
    found = audit(catalog, split, cache=tmp_path / "cache")
    overlap = [f for f in found.findings if f.kind == "patient-overlap"]
    expected = {"given": ["stop"], "mapped": ["stop"], "guessed": ["warning"], "unknown": []}
    assert [f.severity for f in overlap] == expected[known]
    assert all(f.groups == (("c0", "c2"),) for f in overlap)
    if expected[known] == ["stop"]:
        with pytest.raises(LeakError, match="c0, c2"):
            apply(found, split)
    else:
        assert apply(found, split) == (split, ())
    assert apply(found, split, "allow") == (split, ())


def test_a_stop_of_the_split_itself_holds_while_it_is_true(shared: Callable) -> None:
    said = Finding(kind="patient-overlap", severity="stop", text="x", groups=(("c0", "c1"),))
    with pytest.raises(LeakError, match="c0, c1"):
        apply(Audit(), shared(["train", "test"], findings=(said,)))
    mended = shared(["test", "test"], findings=(said,))
    assert apply(Audit(), mended) == (mended, ())


def test_copies_across_parts_are_told(
    build: Callable, noise: Callable, shared: Callable, tmp_path: Path
) -> None:
    catalog = build([noise(1), noise(2), noise(1), noise(2)], known="unknown")
    split = shared(["train", "train", "val", "train"], folds=[0, 0, None, 1])
    found = audit(catalog, split, cache=tmp_path / "cache")
    told = {f.kind: f.groups for f in found.findings}
    assert told["exact-duplicate-leak"] == (("c0", "c2"),)
    assert told["exact-duplicate-folds"] == (("c1", "c3"),)
    assert "patients-unknown" in told
    assert against(audit(catalog, cache=tmp_path / "cache"), catalog, split) == found
