"""A run that was never trained: small tables and made-up scores, so that reports can be tested."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.fingerprint import Choice, Fingerprint, Machine
from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, LINK, LINK_FILE, Catalog
from hounsfield.evaluation import Resampling, age_bands, estimates, subgroups
from hounsfield.evaluation.record import Evaluation
from hounsfield.metrics import standard
from hounsfield.metrics.contract import Cases
from hounsfield.plan.resolved import Resolved, leaves
from hounsfield.plan.schema import EvaluationPlan, Plan, TaskPlan, TrainingPlan
from hounsfield.reports import style
from hounsfield.reports.view import View
from hounsfield.run import Run, installed

QUICK = Resampling(100, 0)


@dataclass(frozen=True)
class Recipe:
    """What a synthetic view is like."""

    classes: tuple[str, ...] = ("normal", "pneumonia")
    patients: int = 240
    multilabel: bool = False
    known: str = "mapped"
    source: str = "Hospital A"
    modality: str = "CR"
    with_files: bool = True
    separation: float = 1.3
    seeds: int = 1


def make_view(folder: Path, recipe: Recipe) -> View:
    """A run folder with tables, plan, logs and findings, and a view of its test part."""
    rng = np.random.default_rng(7)
    catalog, kinds = _catalog(folder / "catalog", recipe, rng)
    parts = rng.choice(["train", "val", "test"], recipe.patients, p=[0.5, 0.15, 0.35])
    part_of = dict(zip(sorted(catalog.cases["patient"].unique()), parts.tolist(), strict=True))
    split = Split(
        catalog.cases.select(
            "case",
            "patient",
            pl.col("patient").replace_strict(part_of).alias("part"),
            pl.lit(None, pl.Int64).alias("fold"),
        )
    )
    run = _run(folder / "run", recipe, catalog, split)
    rows = [i for i, case in enumerate(catalog.cases["case"]) if case in set(split.cases("test"))]
    return _view(run, catalog.select(split.cases("test")), kinds[rows], recipe, rng)


def _catalog(folder: Path, recipe: Recipe, rng: np.random.Generator) -> tuple[Catalog, np.ndarray]:
    folder.mkdir(parents=True)
    patient = np.repeat(np.arange(recipe.patients), rng.integers(1, 3, recipe.patients))
    n, k = len(patient), len(recipe.classes)
    kind = rng.integers(0, k, recipe.patients)[patient]
    names, people = [f"i{i:05}" for i in range(n)], [f"P{p:04}" for p in patient]
    sex, age = (
        rng.choice(["F", "M"], recipe.patients)[patient],
        rng.integers(19, 90, recipe.patients)[patient],
    )
    shared = {
        "patient": people,
        "patient_known": [recipe.known] * n,
        "source": [recipe.source] * n,
        "sex": sex.tolist(),
        "age": age.astype(float).tolist(),
        "view": rng.choice(["PA", "AP"], n).tolist(),
    }
    images = {
        **shared,
        "image": names,
        "modality": [recipe.modality] * n,
        "format": ["dicom"] * n,
        "channels": [1] * n,
        "depth": [1] * n,
        "height": [96] * n,
        "width": [80] * n,
        "body_part": ["CHEST"] * n,
        "manufacturer": rng.choice(["Kestrel", "Osprey"], n).tolist(),
    }
    cases = {**shared, "case": names, "inputs": [[{"channel": "image", "image": i}] for i in names]}
    annotations = {
        "case": names,
        "kind": ["class"] * n,
        "name": ["finding"] * n,
        "label": [recipe.classes[j] for j in kind],
    }
    catalog = Catalog(
        _table(images, IMAGES), _table(cases, CASES), _table(annotations, ANNOTATIONS), folder
    )
    catalog.save(folder)
    if recipe.with_files:
        _files(folder, names, kind, rng)
    return catalog, kind


def _table(columns: dict[str, list[object]], schema: dict[str, object]) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    return pl.DataFrame({name: columns.get(name, [None] * rows) for name in schema}, schema=schema)


def _files(folder: Path, names: list[str], kind: np.ndarray, rng: np.random.Generator) -> None:
    """Grey pictures with a left and a right; few files serve many images."""
    y, x = np.mgrid[:96, :80]
    for k in np.unique(kind):
        lungs = np.hypot((x - 24) / 14, (y - 46) / 30) < 1
        lungs |= np.hypot((x - 57) / 12, (y - 48) / 28) < 1
        spot = 900.0 * k * np.exp(-((x - 57) ** 2 + (y - 60) ** 2) / 90)
        values = 2200 - 1500 * lungs + spot + rng.normal(0, 60, x.shape)
        np.save(folder / f"picture{k}.npy", values.astype(np.float32))
    link = {
        "image": names,
        "root": [str(folder)] * len(names),
        "paths": [[f"picture{k}.npy"] for k in kind],
    }
    _table(link, LINK).write_parquet(folder / LINK_FILE)


def _run(folder: Path, recipe: Recipe, catalog: Catalog, split: Split) -> Run:
    run = Run.create(folder)
    plan = Plan(
        task=TaskPlan(target="finding", settings={"classes": recipe.classes}),
        training=TrainingPlan(seeds=recipe.seeds, epochs=12),
        evaluation=EvaluationPlan(resamples=100),
    )
    by = ("rule", "default", "user", "measured")
    choices = {
        path: Choice(
            path,
            value,
            f"because {path} suits {catalog.cases.height} images",
            by[i % 4],
            "fp32 41 ms, bf16 77 ms a step" if i % 4 == 3 else None,
        )
        for i, (path, value) in enumerate(leaves(plan))
    }
    run.save_plan({"training": {"epochs": 12}}, Resolved(plan, choices))
    run.save_data(catalog, split, _fingerprint(catalog))
    run.save_findings(_findings(catalog))
    run.update(status="finished", seconds={"train": 75.0}, versions=installed())
    for member in run.members:
        member.path.mkdir(parents=True)
        lines = [
            {
                "epoch": e,
                "train_loss": 0.7 * 0.8**e + 0.1,
                "val_loss": 0.6 * 0.85**e + 0.2,
                "metric": "auroc",
                "monitor": 0.95 - 0.4 * 0.7**e,
                "learning_rate": 1e-3,
                "seconds": 4.2,
            }
            for e in range(1, 13)
        ]
        member.log.write_text("\n".join(json.dumps(line) for line in lines))
    return run


def _fingerprint(catalog: Catalog) -> Fingerprint:
    return Fingerprint(
        cases=catalog.cases.height,
        patients=10,
        patients_known={},
        height=96,
        width=80,
        smallest=80,
        largest=96,
        depth=1,
        colour=False,
        channels=("image",),
        modalities={},
        formats={},
        classes={},
        sources={},
        machine=Machine(cores=2, memory_gb=8),
    )


def _findings(catalog: Catalog) -> tuple[Finding, ...]:
    cases = catalog.cases["case"].to_list()
    return (
        Finding(kind="balance", severity="info", text="The classes are balanced (51 % to 49 %)."),
        Finding(
            kind="duplicate",
            severity="warning",
            groups=((cases[0], cases[9]), (cases[2], cases[7])),
            text="2 groups of identical images lie in two parts; 2 left the training part.",
            remedy="Look at them with `hounsfield audit`.",
        ),
    )


def _view(
    run: Run, catalog: Catalog, kind: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> View:
    n, k = len(kind), len(recipe.classes)
    logits = rng.normal(0, 1, (n, k))
    logits[np.arange(n), kind] += recipe.separation
    raw, calibrated = (np.exp(t * recipe.separation * logits) for t in (2.5, 1.0))
    raw, calibrated = (p / p.sum(axis=1, keepdims=True) for p in (raw, calibrated))
    truth, decision = kind.astype(np.int64), calibrated.argmax(axis=1).astype(np.int64)
    if recipe.multilabel:
        truth = np.eye(k, dtype=np.int64)[kind]
        truth[::5, 0] = 1
        decision = (calibrated > 0.4).astype(np.int64)
    patient = catalog.cases["patient"].to_numpy()
    cases = Cases(truth, calibrated, decision, recipe.classes, patient)
    table = catalog.cases.select(
        pl.col("case").alias("image"),
        "patient",
        pl.lit("test").alias("split"),
        pl.Series("label", [recipe.classes[j] for j in kind]),
        pl.Series("prediction", [recipe.classes[j] for j in calibrated.argmax(axis=1)]),
        *(pl.Series(f"p_{name}", calibrated[:, j]) for j, name in enumerate(recipe.classes)),
        "sex",
        "age",
        "view",
        "source",
    )
    folder = run.evaluation("test")
    folder.mkdir(parents=True)
    evaluation = _evaluate(cases, catalog, recipe)
    return View(
        run,
        evaluation,
        cases,
        table,
        catalog,
        truth.tolist(),
        replace(cases, probability=raw),
        folder,
    )


def _evaluate(cases: Cases, catalog: Catalog, recipe: Recipe) -> Evaluation:
    metrics = standard(recipe.classes, recipe.multilabel)
    columns = {
        "sex": catalog.cases["sex"].to_numpy(),
        "age": age_bands(catalog.cases["age"].to_numpy()),
        "view": catalog.cases["view"].to_numpy(),
    }
    groups = subgroups(metrics[:1], cases, columns, QUICK)
    return Evaluation(
        name="test",
        task="classification",
        headline="auroc",
        cases=len(cases),
        patients=cases.patients,
        patients_known={recipe.known: len(cases)},
        classes=recipe.classes,
        estimates=(*estimates(metrics, cases, "all", QUICK), *groups.estimates),
        unlike=3,
    )


@pytest.fixture(autouse=True, scope="session")
def coarse() -> Iterator[None]:
    """Pictures for papers take time that tests can spare."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(style.RC, "savefig.dpi", 60)
        yield


@pytest.fixture(scope="session")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    """Two classes, patients from a mapping, pictures on disk."""
    return make_view(tmp_path_factory.mktemp("view"), Recipe())


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., View]:
    """A view of another recipe."""
    return lambda **changes: make_view(tmp_path / "made", Recipe(**{"patients": 150} | changes))
