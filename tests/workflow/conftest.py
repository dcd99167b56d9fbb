"""Fixtures of tests that train several runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """Reports of words alone: their pictures take longer than a small training.

    The pictures have their own tests (tests/reports, tests/preprocessing/test_figures.py).
    """

    def no_sheets(study: object, folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hounsfield.reports.figures.draw", lambda view, names: {})
        patch.setattr("hounsfield.training.sheets.draw_sheets", no_sheets)
        yield
