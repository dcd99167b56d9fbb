"""Labels that contradict each other, classes that are rare, classes that a source gives away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import contingency

from hounsfield.audit import Audit, AuditSettings, audit
from hounsfield.audit.balance import cramers_v, tables
from hounsfield.audit.balance import findings as balance_findings


def test_one_picture_with_two_classes_is_a_conflict(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    pictures = [noise(1), noise(2), noise(1), noise(2)]
    found = audit(build(pictures, labels=["ill", "ill", "well", "ill"]), cache=tmp_path / "cache")
    (conflict,) = found.conflicts
    assert (conflict.cases, conflict.labels) == (("c0", "c2"), ("ill", "well"))
    (finding,) = [f for f in found.findings if f.kind == "label-conflict"]
    assert finding.groups == (("c0", "c2"),)


def said(
    build: Callable, labels: Sequence[str], sources: Sequence[str] | None = None
) -> list[tuple[str, str, str]]:
    catalog = build([np.eye(2, dtype=np.uint8)] * len(labels), labels=labels, sources=sources)
    found = balance_findings(tables(catalog), AuditSettings())
    return [(f.kind, f.severity, f.text) for f in found]


@pytest.mark.parametrize(
    ("labels", "kind", "severity"),
    [
        (["a"] * 21 + ["b"] * 2, "class-imbalance", "warning"),
        (["a"] * 19 + ["b"] * 2, "class-imbalance", "info"),
        (["a"] * 5, "one-class", "warning"),
    ],
)
def test_rare_classes(build: Callable, labels: list[str], kind: str, severity: str) -> None:
    assert [one[:2] for one in said(build, labels)] == [(kind, severity)]


def test_a_class_from_one_source_only_is_a_shortcut(build: Callable) -> None:
    labels = ["covid"] * 20 + ["normal"] * 40
    sources = ["clinic"] * 20 + ["archive"] * 30 + ["clinic"] * 10
    (_, shortcut) = said(build, labels, sources)
    assert shortcut[:2] == ("shortcut", "warning")
    assert "covid from clinic only" in shortcut[2]


def test_classes_alike_in_all_sources_are_none(build: Callable) -> None:
    labels, sources = ["a", "b"] * 30, ["x", "x", "y", "y"] * 15
    assert [kind for kind, *_ in said(build, labels, sources)] == ["class-imbalance"]


@given(
    st.integers(2, 4).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(1, 60), min_size=k, max_size=k), min_size=2, max_size=4
        )
    )
)
def test_cramers_v_is_the_textbooks_less_chance(rows: list[list[int]]) -> None:
    counts = {f"r{i}": {f"c{j}": n for j, n in enumerate(row)} for i, row in enumerate(rows)}
    value = cramers_v(counts)
    plain = contingency.association(np.array(rows), method="cramer")
    assert value is not None
    assert 0 <= value <= 1
    assert value <= plain + 0.15  # the correction lowers it, but for the smallest tables
    total = sum(map(sum, rows))
    assert abs(value - plain) < 4 / np.sqrt(total) + 0.02


def test_cramers_v_by_hand() -> None:
    # chi² = 20/3, phi² = 1/9 - 1/59; the smaller side counts 2 - 1/59 (Bergsma 2013).
    value = cramers_v({"a": {"x": 10, "y": 20}, "b": {"x": 20, "y": 10}})
    assert value == pytest.approx(((1 / 9 - 1 / 59) / (1 - 1 / 59)) ** 0.5)


def test_cramers_v_of_all_or_nothing() -> None:
    assert cramers_v({"a": {"x": 50, "y": 0}, "b": {"x": 0, "y": 50}}) == pytest.approx(1, abs=1e-9)
    assert cramers_v({"a": {"x": 50, "y": 50}, "b": {"x": 50, "y": 50}}) == 0
    assert cramers_v({"a": {"x": 3}}) is None


def test_the_audit_is_written_and_read_back(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    catalog = build([noise(1), noise(1)], labels=["a", "b"], sources=["x", "y"])
    found = audit(catalog, cache=tmp_path / "cache")
    found.save(tmp_path / "out")
    assert Audit.load(tmp_path / "out") == found
