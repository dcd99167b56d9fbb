"""The list of layouts, and one layout's folder tree."""

from __future__ import annotations

import pytest

from hounsfield.catalog.layouts import LAYOUTS
from hounsfield.cli.layouts import layouts
from hounsfield.errors import UsageError


def test_lists_every_layout_with_its_licence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    layouts()
    told = capsys.readouterr().out
    assert all(f"\n{name} " in told for name in LAYOUTS)
    assert "CC BY" in told
    assert "…" not in told  # no address is cut off
    assert "kaggle.com/c/rsna-pneumonia-detection-challenge" in told


def test_shows_the_folder_tree_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    layouts("rsna-pneumonia")
    told = capsys.readouterr().out
    assert "├── stage_2_train_images/ID.dcm" in told
    assert "[edema, mass]" not in told
    layouts("table")
    assert "values: [edema, mass]" in capsys.readouterr().out  # brackets are no markup


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'rsna-pneumonia'"):
        layouts("rsna-pneumonai")
