"""Runs that are stopped on the way."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stopping import predictions

from hounsfield import workflow
from hounsfield.run import Run
from hounsfield.workflow import measuring, training


@pytest.fixture
def no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions alone are compared: nothing is measured or drawn."""
    monkeypatch.setattr(measuring, "evaluate_own", lambda study: None)
    monkeypatch.setattr(measuring, "write_report", lambda study, name: Path())


class Planned:
    """Runs that are planned and not begun, one for each plan; their copies are trained."""

    def __init__(self, folder: Path, data: Path, plan: Mapping[str, Any]) -> None:
        self.folder, self.plan = folder, dict(plan)
        self.catalog = folder / "catalog"
        workflow.index([data], self.catalog)
        self.known: dict[str, Path] = {}
        self.runs: dict[str, Run] = {}
        self.copies = 0

    def copy(self, asked: Mapping[str, Any]) -> Path:
        """A new run folder, ready to train."""
        name = repr(sorted(asked.items()))
        if name not in self.known:
            self.known[name] = self._make(asked)
        self.copies += 1
        return Path(
            shutil.copytree(self.known[name], self.folder / f"copy{self.copies}", symlinks=True)
        )

    def trained(self, asked: Mapping[str, Any]) -> Run:
        """Such a run that nothing stopped."""
        name = repr(sorted(asked.items()))
        if name not in self.runs:
            self.runs[name] = workflow.resume(self.copy(asked))
        return self.runs[name]

    def reference(self, asked: Mapping[str, Any]) -> dict[str, bytes]:
        """Its predictions."""
        return predictions(self.trained(asked))

    def _make(self, asked: Mapping[str, Any]) -> Path:
        self.copies += 1
        path = self.folder / f"planned{self.copies}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "_train", _stopped)
            with pytest.raises(_StoppedError):
                workflow.train(self.catalog, {**self.plan, **asked}, out=path)
        return path


class _StoppedError(Exception):
    pass


def _stopped(*_: object) -> None:
    raise _StoppedError


@pytest.fixture(scope="session")
def planned(
    tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_plan: dict[str, Any]
) -> Planned:
    return Planned(tmp_path_factory.mktemp("planned"), tiny_data, tiny_plan)
