"""Two runs side by side: the differences that were computed, no others."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hounsfield.evaluation import Resampling, paired_difference
from hounsfield.metrics import metric
from hounsfield.reports import numbers
from hounsfield.reports.comparison import Comparison, print_comparison, rows, sentence, write
from hounsfield.reports.view import View

NAMES = ("densenet", "<b>cnn</b>", "[red]third")


@pytest.fixture(scope="module")
def comparison(view: View) -> Comparison:
    rng = np.random.default_rng(1)
    noisy = view.cases.probability + rng.uniform(0, 0.9, view.cases.probability.shape)
    worse = replace(view.cases, probability=noisy / noisy.sum(axis=1, keepdims=True))
    metrics = [metric("auroc"), metric("brier")]
    found = [
        paired_difference(one, view.cases, other, Resampling(200))
        for other in (worse, view.cases)
        for one in metrics
    ]
    return Comparison.of([(name, view.evaluation) for name in NAMES], found)


def test_pairs_are_the_first_against_each_other(comparison: Comparison) -> None:
    assert [(pair.a, pair.b) for pair in comparison.pairs] == [NAMES[:2], (NAMES[0], NAMES[2])]
    assert [d.metric for d in comparison.pairs[0].differences] == ["auroc", "brier"]
    assert comparison.pairs[1].differences[0].difference == 0


def test_page_holds_the_differences_and_escapes_names(
    comparison: Comparison, tmp_path: Path
) -> None:
    text = write(comparison, tmp_path / "compare.html").read_text()
    change, interval = numbers.difference(comparison.pairs[0].differences[0])
    assert change in text
    assert interval in text
    assert "<b>cnn</b>" not in text
    assert "&lt;b&gt;cnn&lt;/b&gt;" in text
    assert "http:" not in text
    assert "https:" not in text


def test_table_prints_names_as_they_are(comparison: Comparison) -> None:
    out = StringIO()
    print_comparison(comparison, Console(file=out, width=140))
    assert "[red]third" in out.getvalue()
    assert numbers.difference(comparison.pairs[0].differences[0])[1] in out.getvalue()


def test_only_an_interval_without_zero_is_clear(comparison: Comparison) -> None:
    clear, same = comparison.pairs
    assert rows(clear)[0].clear
    assert not rows(same)[0].clear
    assert "cannot tell which" in sentence(same)
    assert "cannot tell which" not in sentence(clear)
