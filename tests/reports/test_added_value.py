"""The sentences claim what the intervals show, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield.evaluation import Resampling
from hounsfield.evaluation.added_value import AddedValue, Arms, added_value
from hounsfield.metrics import standard
from hounsfield.metrics.contract import Cases
from hounsfield.reports import html
from hounsfield.reports.added_value import sentences
from hounsfield.reports.view import View
from hounsfield.run import save_model

SIZE = 400


def cases(strength: float, seed: int, size: int = SIZE) -> Cases:
    rng = np.random.default_rng(seed)
    truth = np.arange(size) % 2
    score = 1 / (1 + np.exp(-(strength * (truth - 0.5) + rng.normal(0, 1, size))))
    probability = np.stack([1 - score, score], axis=1)
    decision = (score > 0.5).astype(np.int64)
    return Cases(truth, probability, decision, ("no", "yes"), np.arange(size))


def found(both: Cases, image: Cases, table: Cases | None) -> AddedValue:
    return added_value(
        standard(("no", "yes"), False)[0],
        Arms(both=both, image=image, table=table),
        Resampling(200, 0),
        columns=("age", "sex"),
        model="logistic regression",
        networks=1,
    )


def test_a_gain_is_told_with_its_interval() -> None:
    made = found(cases(2.5, 0), cases(1.2, 1), cases(1.0, 2))
    of_image, of_table = sentences(made)
    assert of_image.startswith("Adding the image to the table (age and sex) raises AUROC by 0.")
    assert of_table.startswith("Adding the table (age and sex) to the image raises AUROC by 0.")
    assert made.image_adds is not None
    assert made.image_adds.difference == pytest.approx(made.both.value - made.table.value)
    assert made.table_adds.difference == pytest.approx(made.both.value - made.image.value)


def test_no_gain_is_claimed_where_the_interval_includes_0() -> None:
    of_image, of_table = sentences(found(cases(1.0, 4), cases(1.0, 5), cases(1.0, 6)))
    for said in (of_image, of_table):
        assert "the interval includes 0, so no gain is shown." in said
        assert "raises" not in said


def test_a_loss_between_two_trainings_is_told_and_no_harm_is_claimed() -> None:
    """Of ten columns of chance two were followed by a loss whose interval misses 0."""
    _, of_table = sentences(found(cases(0.5, 0), cases(2.5, 1), cases(1.0, 2)))
    assert "lowers AUROC by" in of_table
    assert of_table.endswith(
        ", which leaves out the chance of training): no gain is shown, and harm is not either."
    )


def test_few_patients_are_unreliable() -> None:
    few = [cases(1.0, seed, 24) for seed in range(3)]
    assert "Unreliable: only 12 patients with" in sentences(found(*few))[0]


def test_few_patients_are_unreliable_with_the_network_held_fixed_too() -> None:
    few = [cases(2.5 if seed == 2 else 0.2, seed, 24) for seed in range(3)]
    made = added_value(
        standard(("no", "yes"), False)[0],
        Arms(both=few[0], image=few[1], weighed=few[2]),
        Resampling(200, 0),
        columns=("age",),
        model="",
        networks=3,
    )
    assert "Unreliable: only 12 patients" in sentences(made)[-1]


def test_a_task_without_a_model_of_the_table_tells_of_the_image_only() -> None:
    made = found(cases(1.0, 0), cases(1.0, 1), None)
    (said,) = sentences(made)
    assert said.startswith("Adding the table")


@pytest.mark.usefixtures("no_pictures")
def test_the_report_has_the_section_where_there_is_a_table(view: View) -> None:
    assert "What the image adds" not in html.write(view, task_figures=()).read_text()
    made = found(cases(2.5, 0), cases(1.2, 1), cases(1.0, 2))
    save_model(view.run.added_value_file, made)
    try:
        page = Path(html.write(view, task_figures=())).read_text()
    finally:
        view.run.added_value_file.unlink()
    assert sentences(made)[0] in page.replace("&#34;", '"')
    assert "Table alone: age and sex (logistic regression)" in page
    assert "<code>--seeds 3</code>" in page


@pytest.mark.parametrize(
    ("both", "weighed", "said"),
    [
        (2.5, 2.5, "the same finding."),
        (2.5, 1.2, "may be the chance of a training."),
        (1.2, 2.5, "clearer than by training both together."),
    ],
)
def test_the_chance_of_a_training_is_told_from_the_table(
    both: float, weighed: float, said: str
) -> None:
    """The network held fixed, no chance of a training is in what the table adds."""
    made = added_value(
        standard(("no", "yes"), False)[0],
        Arms(both=cases(both, 5), image=cases(1.2, 6), weighed=cases(weighed, 7)),
        Resampling(200, 0),
        columns=("age",),
        model="",
        networks=1,
    )
    assert sentences(made)[-1].endswith(said)
