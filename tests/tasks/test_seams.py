"""Every task goes the whole way through rooms that know none by its name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import hounsfield as hf
from hounsfield import workflow
from hounsfield.catalog.phantoms import chest_xray
from hounsfield.run import Run
from hounsfield.tasks import TASKS, follows_from, load

if TYPE_CHECKING:
    from stopping import Children

SOURCE = Path(hf.__file__).parent
# rooms that are written once against the contract of tasks
SHARED = ("training", "inference", "evaluation", "reports", "cli", "workflow", "run.py")
STEP = "hounsfield.training.learner:Learner.training_step"
PLAN = {
    "preprocessing.size": (64, 64),
    "data.min_per_class": 0,
    "audit.near": "off",
    "training.epochs": 1,
    "training.batch": 4,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "evaluation.resamples": 100,
}
OWN = {  # what a task must be told of these data
    "ordinal": {
        "task.target": "finding",
        "task.settings.classes": ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity"),
    },
    "regression": {"task.target": "age"},
}
MEASURED = {"regression": {"task.settings.centre", "task.settings.scale"}}
FILES = {"segmentation": "masks/*.png"}  # beside the table


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Phantoms of two hospitals: the data, and another catalog."""
    folder = tmp_path_factory.mktemp("chests")
    for name, patients, seed in (("home", 24, 0), ("away", 8, 1)):
        settings = chest_xray.Settings(
            patients=patients, seed=seed, size=128, masks=True, images_per_patient=1, workers=1
        )
        chest_xray.make(folder / f"{name}-data", settings)
        workflow.index([folder / f"{name}-data"], folder / name)
    return {name: folder / name for name in ("home", "away", "home-data", "away-data")}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_goes_the_whole_way(
    name: str, chests: dict[str, Path], children: Children, tmp_path: Path
) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    job = {
        "verb": "train",
        "arguments": [chests["home"], {**PLAN, **OWN.get(name, {}), "task.name": name}],
        "keywords": {"out": str(out)},
        "stop": {"call": STEP, "nth": 3},
    }
    assert children.run(job, log) == -9, log.read_text()
    assert Run(out).status == "training"

    run = workflow.resume(out)
    assert run.status == "finished"
    assert run.resolved.plan.task.name == name
    measured = {path for path, one in run.resolved.choices.items() if one.by == "measured"}
    assert measured >= MEASURED.get(name, set())
    own = pl.read_csv(run.predictions("test") / "predictions.csv")
    assert own.columns[:5] == ["image", "patient", "split", "label", "prediction"]
    assert run.report().stat().st_size > 10_000

    files = sorted((chests["away-data"] / "stage_2_train_images").glob("*.dcm"))[:3]
    written = workflow.predict(out, files, tmp_path / "new")
    found = pl.read_csv(written)
    assert found.height == 3
    assert set(found["split"]) == {"new"}
    assert len(list(written.parent.glob(FILES.get(name, "*.csv")))) == (3 if name in FILES else 2)

    evaluation = workflow.evaluate(out, chests["away"], name="away")
    assert evaluation.task == name
    assert evaluation.cases == 8
    assert evaluation.fall is not None
    assert run.report("away").stat().st_size > 10_000


def test_the_task_follows_from_the_annotations(chests: dict[str, Path]) -> None:
    catalog = hf.Catalog.load(chests["home"])
    kinds = set(catalog.annotations["kind"].unique())
    assert {"class", "mask", "box"} <= kinds
    assert follows_from(catalog) == "classification"


@pytest.mark.parametrize("name", TASKS)
def test_a_task_names_what_exists(name: str) -> None:
    from hounsfield.models import load as network
    from hounsfield.reports.figures import FIGURES

    task = load(name)
    assert name == task.NAME
    assert set(task.FIGURES) <= set(FIGURES)
    assert network(task.NETWORK)
    assert task.ANNOTATIONS


@pytest.mark.parametrize("room", SHARED)
def test_shared_rooms_name_no_task(room: str) -> None:
    path = SOURCE / room
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        tree = ast.parse(file.read_text())
        named = [f"{file.name}:{line} {word}" for line, word in _words(tree) if word in TASKS]
        assert named == []


def _words(tree: ast.AST) -> list[tuple[int, str]]:
    """Names and whole strings of code, also of imported modules; prose is none."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.Constant(value=str(word)):
                found.append((node.lineno, word.lower()))
            case ast.ImportFrom(module=str(module)) if not module.startswith("hounsfield.metrics"):
                found += [(node.lineno, word) for word in module.split(".")]
            case ast.Import(names=names):
                found += [(node.lineno, word) for one in names for word in one.name.split(".")]
    return found


def test_the_search_for_names_finds_them() -> None:
    code = 'if task.NAME == "detection":\n    from hounsfield.tasks.segmentation import TASK\n'
    found = {word for _, word in _words(ast.parse(code))}
    assert {"detection", "segmentation"} <= found
