"""The run folder: the one class that knows its file names.

RUN/run.json              format version, status, software, times, where the catalog's link lies
    lock                  held while a process writes
    plan.yaml             what was asked
    plan.resolved.yaml    every value, and why
    data/                 the three tables, split.parquet, findings.json, fingerprint.json
    members/f0-s0/        checkpoint.pt, weights.safetensors, metrics.jsonl
    predictions/NAME/     predictions.csv and the task's own files
    evaluations/NAME/     evaluation.json, figures, report.html; added_value.json of a table
    parts/                image: the same run without its table; table, weighed: predictions
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeVar

import polars as pl
import yaml
from filelock import FileLock, Timeout
from pydantic import BaseModel

from hounsfield.catalog.findings import FINDINGS, Finding
from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, RunError
from hounsfield.files import storage_error, write_text
from hounsfield.plan.resolved import Resolved
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks.contract import Calibration

VERSION = 1
# What a run writes, and all that --overwrite deletes
PARTS = ("run.json", "lock", "plan.yaml", "plan.resolved.yaml", "calibration.json")
FOLDERS = ("data", "figures", "members", "predictions", "evaluations", "parts")
PACKAGES = ("hounsfield", "torch", "lightning", "timm", "numpy", "scipy", "polars", "pydicom")
M = TypeVar("M", bound=BaseModel)
Status = Literal["planned", "training", "trained", "finished"]


@dataclass(frozen=True)
class Member:
    """One trained network of a run: fold and seed."""

    path: Path
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        """Everything that training needs to go on, after the last whole epoch."""
        return self.path / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The network that predicts; there once the member is trained."""
        return self.path / "weights.safetensors"

    @property
    def log(self) -> Path:
        """One JSON line an epoch: losses, learning rate, monitor."""
        return self.path / "metrics.jsonl"

    @property
    def trained(self) -> bool:
        return self.weights.exists()

    def history(self) -> pl.DataFrame:
        """The log as a table, one row an epoch; empty before the first."""
        if not self.log.exists():
            return pl.DataFrame()
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return pl.DataFrame(lines)


class Run:
    """A run folder that exists."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        state = _read_json(self.path / "run.json", self.path)
        if state.get("version", 0) > VERSION:
            raise RunError(
                f"the run was written by a newer hounsfield (format {state['version']})",
                file=self.path,
                expected=f"format {VERSION} or older",
                remedy="pip install --upgrade hounsfield",
            )

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> Run:
        """A new, empty run folder.

        Raises:
            RunError: there is a run or anything else, and `overwrite` is not given.
        """
        path = Path(path)
        if _taken(path):
            is_run = (path / "run.json").exists()
            if not (overwrite and is_run):
                raise RunError(
                    "there is a run already" if is_run else "exists and is not a run",
                    file=path,
                    remedy="choose another --out, go on with --resume, or give --overwrite"
                    if is_run
                    else "choose another --out",
                )
            cls(path).remove()
        write_text(path / "run.json", json.dumps({"version": VERSION, "status": "planned"}))
        return cls(path)

    def remove(self) -> None:
        """Delete what a run writes; a file of the user's that lies among it stays.

        Raises:
            RunError: another process is writing it.
        """
        with self.locked():
            for name in FOLDERS:
                shutil.rmtree(self.path / name, ignore_errors=True)
            for name in PARTS:
                (self.path / name).unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    # State

    @property
    def state(self) -> dict[str, Any]:
        return _read_json(self.path / "run.json", self.path)

    def update(self, **values: Any) -> None:
        """Set values of run.json."""
        write_text(self.path / "run.json", json.dumps({**self.state, **values}, indent=1))

    @property
    def seconds(self) -> dict[str, float]:
        """How long each stage took; a run that was stopped and resumed counts all."""
        return dict(self.state.get("seconds", {}))

    def add_seconds(self, stages: Mapping[str, float]) -> None:
        before = self.seconds
        self.update(seconds=before | {k: before.get(k, 0) + v for k, v in stages.items()})

    @property
    def versions(self) -> dict[str, str]:
        """The software that the run was planned with."""
        return dict(self.state.get("versions", {}))

    @property
    def status(self) -> Status:
        status: Status = self.state["status"]
        return status

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against other writers; the lock goes with the process, however it ends.

        Raises:
            RunError: another process holds it; the message gives its pid.
        """
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"process {self.state.get('pid', 'unknown')} is writing this run",
                file=self.path,
                remedy="wait for it, or end that process first",
            ) from None
        except OSError as error:
            raise storage_error(error, self.path) from error
        try:
            for part in self.path.rglob(".*.part"):  # of a writer that was killed
                part.unlink(missing_ok=True)
            self.update(pid=os.getpid())
            yield
        finally:
            lock.release()

    # Plan and data

    @property
    def resolved(self) -> Resolved:
        return Resolved.load(self.path / "plan.resolved.yaml")

    def save_plan(self, asked: dict[str, Any], resolved: Resolved) -> None:
        write_text(self.path / "plan.yaml", yaml.safe_dump(asked, sort_keys=False))
        write_text(self.path / "plan.resolved.yaml", resolved.dump())

    @property
    def catalog(self) -> Catalog:
        """The run's snapshot of the tables, with the link of the catalog it came from.

        Raises:
            RunError: a table is missing or damaged.
        """
        try:
            return Catalog.load(self.path / "data", link=self._there(self.state.get("link")))
        except InputError as error:
            raise _damaged(error.file or self.path / "data") from error

    @property
    def split(self) -> Split:
        try:
            return Split.load(self.path / "data")
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise _damaged(self.path / "data/split.parquet") from error

    @property
    def fingerprint(self) -> Fingerprint:
        return load_model(self.path / "data/fingerprint.json", Fingerprint)

    def save_data(self, catalog: Catalog, split: Split, fingerprint: Fingerprint) -> None:
        catalog.save(self.path / "data")
        split.save(self.path / "data")
        write_text(self.path / "data/fingerprint.json", fingerprint.model_dump_json(indent=1))
        if catalog.folder is not None:
            self.update(link=self._from_here(catalog.folder))

    @property
    def ranges_file(self) -> Path:
        """What the training images span, by which unlike images are told."""
        return self.path / "data/ranges.json"

    @property
    def table(self) -> TableSpec | None:
        """The columns that join the image, where there are any."""
        path = self.path / "data/table.json"
        return load_model(path, TableSpec) if path.exists() else None

    def save_table(self, spec: TableSpec) -> None:
        save_model(self.path / "data/table.json", spec)

    @property
    def adds(self) -> bool:
        """Is it to be told what the image adds to the table, and the table to the image?"""
        plan = self.resolved.plan
        return bool(plan.model.table) and plan.evaluation.added_value

    @property
    def added_value_file(self) -> Path:
        """What the image and the table add to each other, on the test part."""
        return self.evaluation("test") / "added_value.json"

    def part(self, name: Literal["image", "table", "weighed"]) -> Path:
        """The folder of the same run without its table, or of predictions from the table."""
        return self.path / "parts" / name

    @property
    def findings(self) -> tuple[Finding, ...]:
        path = self.path / "data/findings.json"
        try:
            return FINDINGS.validate_json(path.read_bytes()) if path.exists() else ()
        except (OSError, ValueError) as error:
            raise _damaged(path) from error

    def save_findings(self, findings: tuple[Finding, ...]) -> None:
        write_text(
            self.path / "data/findings.json", FINDINGS.dump_json(findings, indent=1).decode()
        )

    @property
    def sheets(self) -> Path:
        """The folder of pictures to look at before training: raw, augmented, intensities."""
        return self.path / "figures"

    # Members

    def member(self, fold: int, seed: int) -> Member:
        return Member(self.path / "members" / f"f{fold}-s{seed}", fold, seed)

    @property
    def members(self) -> tuple[Member, ...]:
        """All members that the plan asks for, trained or not."""
        training = self.resolved.plan.training
        folds, seeds = range(training.folds), range(training.seeds)
        return tuple(self.member(fold, seed) for fold in folds for seed in seeds)

    @property
    def predicted(self) -> bool:
        """Are all members trained, and the parts that they did not see predicted?

        Raises:
            RunError: a file of the plan or the data is damaged.
        """
        tables = [self.predictions(name) / "predictions.csv" for name in self._measured()]
        return all(member.trained for member in self.members) and all(t.exists() for t in tables)

    @property
    def whole(self) -> bool:
        """Is everything there that a finished run has?

        Raises:
            RunError: a file of the plan or the data is damaged.
        """
        found = [self.evaluation(name) / "evaluation.json" for name in self._measured()]
        made = self.predicted and all(file.exists() for file in found)
        made &= self.added_value_file.exists() or not self.adds
        return made and self.report().exists() and self.catalog.cases.height > 0

    def _measured(self) -> list[str]:
        return [name for name in ("val", "test") if self.split.cases(name)]

    @property
    def begun(self) -> bool:
        """Is there anything that was trained?"""
        return self.status != "planned" and any(
            member.trained or member.checkpoint.exists() for member in self.members
        )

    # Predictions and evaluations

    def predictions(self, name: str) -> Path:
        """The folder of the predictions with this name."""
        return self.path / "predictions" / name

    def evaluation(self, name: str) -> Path:
        """The folder of the evaluation with this name."""
        return self.path / "evaluations" / name

    def save_external(self, name: str, catalog: Catalog) -> None:
        """Keep the tables of another hospital's data, so that its report can be written again."""
        catalog.save(self.predictions(name) / "data")
        if catalog.folder is not None:
            links = self.state.get("links", {}) | {name: self._from_here(catalog.folder)}
            self.update(links=links)

    def external(self, name: str) -> Catalog | None:
        """The tables that `save_external` kept; None for the run's own parts."""
        folder = self.predictions(name) / "data"
        link = self._there(self.state.get("links", {}).get(name))
        return Catalog.load(folder, link=link) if folder.exists() else None

    def _from_here(self, folder: Path) -> str:
        """A folder as run.json names it: relative, without the folders above both."""
        try:
            return Path(os.path.relpath(folder.resolve(), self.path.resolve())).as_posix()
        except ValueError:  # another drive
            return str(folder.resolve())

    def _there(self, link: str | None) -> Path | None:
        return (self.path / link).resolve() if link else None

    @property
    def evaluations(self) -> tuple[str, ...]:
        found = sorted((self.path / "evaluations").glob("*/evaluation.json"))
        return tuple(path.parent.name for path in found)

    @property
    def calibration_file(self) -> Path:
        return self.path / "calibration.json"

    @property
    def calibration(self) -> Calibration:
        """What was fitted on the validation part."""
        return load_model(self.calibration_file, Calibration)

    def report(self, name: str = "test") -> Path:
        return self.evaluation(name) / "report.html"

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.status})"

    def _repr_html_(self) -> str:
        """For Jupyter: the plan's task and network, the state, and a link to the report."""
        from html import escape

        if self.status == "planned":
            return f"<b>Run {escape(str(self.path))}</b><br>planned"
        plan, report = self.resolved.plan, self.report()
        link = f'<a href="{escape(str(report))}">report</a>' if report.exists() else "no report yet"
        what = f"{plan.task.name} of {plan.task.target}, {plan.model.name}, {self.status}"
        return f"<b>Run {escape(str(self.path))}</b><br>{escape(what)}<br>{link}"


def installed() -> dict[str, str]:
    """Versions of Python and of the packages that decide a run's numbers."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def save_model(path: Path, model: BaseModel) -> None:
    """A pydantic value as JSON, whole or not at all."""
    write_text(path, model.model_dump_json(indent=1))


def load_model(path: Path, kind: type[M]) -> M:
    """What `save_model` wrote.

    Raises:
        RunError: missing or damaged.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # pydantic's error is a ValueError
        raise _damaged(path) from error


def _damaged(path: str | Path) -> RunError:
    return RunError(
        "is missing or damaged",
        file=path,
        expected="the file as hounsfield wrote it",
        remedy="restore it from a copy, or train again with another --out",
    )


def _taken(path: Path) -> bool:
    """Is there anything at the path but an empty folder?"""
    try:
        return path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise storage_error(error, path) from error


def _read_json(path: Path, run: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(
            "is not a run folder",
            file=run,
            expected="a folder that `hounsfield train` wrote, with run.json in it",
            remedy="check the path",
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not (
        isinstance(state, dict) and isinstance(state.get("version"), int) and "status" in state
    ):
        raise _damaged(path)
    return state
