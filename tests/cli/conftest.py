"""How the commands answer, and a finished run that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from folders import Answer

from hounsfield.cli import main

if TYPE_CHECKING:
    from hounsfield.run import Run


@pytest.fixture
def ask(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """Run a command in this process, as a wide terminal shows it."""
    monkeypatch.setenv("COLUMNS", "300")

    def asked(*words: object) -> Answer:
        capfd.readouterr()
        code = main([str(word) for word in words])
        told = capfd.readouterr()
        return Answer(code, told.out, told.err)

    return asked


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Path:
    """A finished run and its catalog, of this test's own."""
    for name in (tiny_run.path.name, f"{tiny_run.path.name}.catalog"):
        shutil.copytree(tiny_run.path.with_name(name), tmp_path / "runs" / name)
    return tmp_path / "runs" / tiny_run.path.name
