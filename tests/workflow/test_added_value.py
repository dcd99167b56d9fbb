"""What image and table add to each other, where the truth is known by construction."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield.errors import InputError, UsageError
from hounsfield.evaluation.added_value import AddedValue
from hounsfield.run import Run
from hounsfield.workflow import beside_run, predict, resume, train

pytestmark = pytest.mark.usefixtures("no_pictures")
COUNT, SIDE = 360, 12


def make_data(folder: Path, *, age: float, image: float, seed: int = 0) -> Path:
    """Pictures of noise with a bright corner, and a table; how strongly each tells the label.

    The view is drawn by chance: it tells nothing.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "patient", "label", "age", "sex", "view"])
        for i in range(COUNT):
            sick = i % 2
            pixels = rng.normal(120, 25, (SIDE, SIDE))
            pixels[:4, :4] += image * 25 * sick
            Picture.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
                folder / f"images/i{i:03}.png"
            )
            years = np.clip(rng.normal(50 + 12 * age * sick, 12), 18, 95)
            label = ("healthy", "sick")[sick]
            facts = [round(float(years)), rng.choice(["F", "M"]), rng.choice(["AP", "PA"])]
            table.writerow([f"images/i{i:03}.png", f"p{i}", label, *facts])
    return folder


QUICK: dict[str, Any] = {  # all that would be measured or is slow, decided
    "data.min_per_class": 0,
    "data.train": 0.4,
    "data.val": 0.2,
    "data.test": 0.4,
    "audit.near": "off",
    "model.settings.widths": (8,),
    "model.settings.blocks": (1,),
    "training.epochs": 4,
    "training.batch": 12,
    "training.learning_rate": 0.01,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "evaluation.resamples": 100,
    "preprocessing.size": (SIDE, SIDE),
}


def test_a_column_of_chance_is_not_shown_to_add(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", age=0, image=1.0)
    run = train(data, QUICK | {"model.table": ("view",)}, out=tmp_path / "run")
    found = AddedValue.load(run.added_value_file)
    assert found.table_adds.low <= 0
    assert found.fixed is not None
    assert found.fixed.low <= 0
    assert found.image_adds is not None
    assert found.image_adds.low > 0.1


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of image, age, sex and a further column, with what each adds."""
    folder = tmp_path_factory.mktemp("table")
    make_data(folder / "data", age=1.5, image=0.25)
    return train(folder / "data", QUICK | {"model.table": ("age", "sex")}, out=folder / "run")


def test_the_age_that_makes_the_label_is_shown_to_add(finished: Run) -> None:
    run = finished
    found = AddedValue.load(run.added_value_file)
    assert found.table_adds.low > 0
    assert found.fixed is not None
    assert found.fixed.low > 0
    assert found.image_adds is not None
    assert found.table is not None
    assert found.table.value > 0.75
    assert found.both.cases == found.image.cases == found.table.cases
    alone = Run(run.part("image"))
    assert alone.split.table.equals(run.split.table)
    assert alone.resolved.plan.model.table == ()
    assert alone.resolved.plan.training == run.resolved.plan.training


def test_resume_makes_again_what_is_gone(finished: Run) -> None:
    """Stopped in the image alone, or before it was compared: the same numbers."""
    before = finished.added_value_file.read_bytes()
    alone = Run(finished.part("image"))
    weights = [member.weights.read_bytes() for member in alone.members]
    finished.added_value_file.unlink()
    assert not finished.whole
    for member in alone.members:  # as if it was stopped after its last epoch
        member.weights.unlink()
    alone.update(status="training")
    resume(finished.path)
    assert finished.added_value_file.read_bytes() == before
    assert [member.weights.read_bytes() for member in alone.members] == weights
    finished.added_value_file.unlink()
    (finished.part("image") / "run.json").unlink()  # stopped while the folder was made
    resume(finished.path)
    assert finished.added_value_file.read_bytes() == before


def test_a_report_says_it(finished: Run) -> None:
    page = finished.report().read_text()
    assert "What the image adds, what the table adds" in page
    assert "Adding the table (age and sex) to the image raises AUROC by" in page


def test_the_table_alone_has_predictions_of_its_own(finished: Run) -> None:
    rows = (finished.part("table") / "predictions.csv").read_text().splitlines()
    assert len(rows) == 1 + len(finished.split.cases("test"))


def new_data(folder: Path, header: str, *rows: str) -> Path:
    """A picture a row, beside a table."""
    folder.mkdir()
    for i in range(len(rows)):
        pixels = np.random.default_rng(i).normal(120, 25, (SIDE, SIDE))
        Picture.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"n{i}.png")
    lines = [f"path,{header}", *(f"n{i}.png,{row}" for i, row in enumerate(rows))]
    (folder / "new.csv").write_text("\n".join(lines))
    return folder


def test_new_cases_are_told_how_their_table_differs(finished: Run, tmp_path: Path) -> None:
    data = new_data(tmp_path / "new", "age,sex", "61,F", ",M", "40,other", "119,M")
    table = predict(finished.path, data, tmp_path / "out").read_text().splitlines()
    assert "age" not in table[1].replace("image", "")
    assert "age missing" in table[2]
    assert "sex of an unseen category" in table[3]
    assert "age above the training data's" in table[4]


def test_new_cases_without_the_table_are_refused(finished: Run, tmp_path: Path) -> None:
    data = new_data(tmp_path / "new", "sex", "F", "M")
    with pytest.raises(InputError, match="none of the 2 cases has 'age'") as caught:
        predict(finished.path, data, tmp_path / "out")
    with pytest.raises(InputError, match="the case does not have 'age'"):
        predict(finished.path, data / "n0.png", tmp_path / "out")
    assert caught.value.expected == "a table with age, sex"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("agee", "did you mean 'age'"),
        ("patient", "names the person"),
    ],
)
def test_what_cannot_join_is_refused_before_any_image_is_read(
    finished: Run, tmp_path: Path, column: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        train(beside_run(finished.path), {"model.table": (column,)}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_it_can_be_left_out(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", age=1.5, image=0.25)
    asked = QUICK | {"model.table": ("age",), "evaluation.added_value": False, "training.epochs": 1}
    run = train(data, asked, out=tmp_path / "run")
    assert run.whole
    assert not run.part("image").exists()
    assert "What the image adds" not in run.report().read_text()
