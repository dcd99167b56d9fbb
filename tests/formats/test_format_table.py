"""The table of formats in the docs is what reading and writing give."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from hounsfield import formats

SCRIPT = Path(__file__).parents[2] / "docs/format_table.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("format_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_format_says_what_it_is_tested_against(script: ModuleType) -> None:
    assert set(formats.FORMATS) <= set(script.TOLD)


def test_the_table_is_what_the_code_does(script: ModuleType) -> None:
    """If this fails: `python docs/format_table.py`, and look at what changed."""
    text = script.PAGE.read_text()
    assert text == script.page(text, script.table())


def test_nothing_is_changed_silently(script: ModuleType) -> None:
    rows = script.table()
    assert "WRONG" not in rows
    assert "changed" not in rows
