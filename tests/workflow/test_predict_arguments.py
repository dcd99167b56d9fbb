"""`predict` says what is missing before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield.errors import RunError, UsageError
from hounsfield.workflow import predict


def test_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to predict"):
        predict(tmp_path, [], tmp_path / "out")


def test_a_typing_error_in_the_path_names_runs_and_bundles(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run or bundle") as caught:
        predict(tmp_path / "rnu", tmp_path, tmp_path / "out")
    assert "hounsfield export" in str(caught.value)
