"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    from stopping import Children

    from hounsfield.run import Run

sys.path.append(str(Path(__file__).parent / "helpers"))  # what several test files share

os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples each time: what passed here passes elsewhere. New ones by --hypothesis-seed.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-data", type=Path, default=None, help="the folder of real images")


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real images, or a loud skip."""
    folder: Path | None = request.config.getoption("--real-data")
    if folder is None or not folder.is_dir():
        pytest.skip("REAL IMAGES NOT TESTED: give --real-data=DIR")
    return folder.resolve()


TINY_PLAN = {  # all that would be measured or is slow, decided
    "data.min_per_class": 0,
    "audit.near": "off",
    "model.settings.widths": (4, 8),
    "model.settings.blocks": (1, 1),
    "training.epochs": 3,
    "training.batch": 16,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "evaluation.resamples": 100,
}


@pytest.fixture(scope="session")
def tiny_plan() -> dict[str, Any]:
    """What makes a run on `tiny_data` take a second."""
    return dict(TINY_PLAN)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 pictures of 12×12 in MedMNIST's form: class 1 is brighter, above and to the left."""
    rng = np.random.default_rng(7)
    arrays = {}
    for part, size in (("train", 60), ("val", 30), ("test", 40)):
        labels = rng.permutation(np.arange(size) % 3 == 0).astype(np.uint8)
        pixels = rng.normal(100, 20, (size, 12, 12))
        pixels[:, 2:6, 1:6] += 25.0 * labels[:, None, None]
        arrays[f"{part}_images"] = np.clip(pixels, 0, 255).astype(np.uint8)
        arrays[f"{part}_labels"] = labels[:, None]
    path = tmp_path_factory.mktemp("tiny") / "data.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on `tiny_data`; copy it before you change anything."""
    from hounsfield import workflow

    return workflow.train(tiny_data, TINY_PLAN, out=tmp_path_factory.mktemp("runs") / "tiny")


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


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    """Where jobs run that do not come back."""
    from stopping import Children

    made = Children()
    yield made
    made.close()
