"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-data", type=Path, default=None, help="the folder of real images")


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real images, or a loud skip."""
    folder: Path | None = request.config.getoption("--real-data")
    if folder is None or not folder.is_dir():
        pytest.skip("REAL IMAGES NOT TESTED: give --real-data DIR")
    return folder.resolve()
