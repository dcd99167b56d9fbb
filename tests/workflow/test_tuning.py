"""A search looks at validation data alone, goes on where it was stopped, and repeats itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from sklearn.datasets import load_digits

import hounsfield as hf
from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.plan.asked import from_file, from_paths
from hounsfield.plan.schema import Plan
from hounsfield.progress import Silent
from hounsfield.workflow.space import (
    STRENGTH,
    Among,
    Range,
    as_asked,
    default_space,
    own_values,
    read_space,
)

SEARCH = hf.Search(trials=4, pruner="median", seed=3)
SMALL = {"model.name": "simple-nn", "model.settings.hidden": (8,), "training.epochs": 2}


class Watching(Silent):
    """Remembers what is said, and stops like Ctrl-C at the n-th epoch it is told of."""

    def __init__(self, stop: int | None = None) -> None:
        self.left, self.said = stop, list[str]()

    def tell(self, what: str, done: int, of: int | None) -> None:
        if self.left is not None and what.startswith("trial") and done:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture(scope="module")
def plan(tiny_plan: dict[str, Any]) -> dict[str, Any]:
    left = ("training.batch", "model.settings.widths", "model.settings.blocks")
    values = {k: v for k, v in tiny_plan.items() if k not in left}
    return values | SMALL | {"training.compile": False}


@dataclass(frozen=True)
class Searched:
    """A whole search, what it said, and each set of cases it asked for with the test part."""

    found: Any
    watch: Watching
    asked: list[tuple[set[str], set[str]]]


@pytest.fixture(scope="module")
def searched(
    tiny_data: Path, plan: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Searched:
    from hounsfield.training.study import Study

    asked: list[tuple[set[str], set[str]]] = []
    real = Study.dataset

    def spied(study: Study, cases: Any, **more: Any) -> Any:
        asked.append((set(cases), set(study.run.split.cases("test"))))
        return real(study, cases, **more)

    watch, out = Watching(), tmp_path_factory.mktemp("searches") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "dataset", spied)
        found = hf.tune(tiny_data, plan, SEARCH, out=out, watch=watch)
    return Searched(found, watch, asked)


def comparable(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop("seconds")


def test_a_search_leaves_plan_table_and_figure(searched: Searched) -> None:
    found, watch = searched.found, searched.watch
    assert found.table.height == 4
    assert found.metric == "auroc"
    best = found.table.filter(pl.col("state") == "finished")["auroc"].max()
    assert found.score == best
    assert found.table["state"][0] == "finished"  # the plan as the rules have it
    assert "4 trials of 2 epochs" in watch.said[0]
    assert "luck" in found.caution
    assert pl.read_csv(found.out / "trials.csv").height == 4
    assert (found.out / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not any((found.out / "trials").iterdir())


def test_no_trial_writes_or_keeps_a_test_prediction(searched: Searched) -> None:
    found = searched.found
    assert not list(found.out.rglob("predictions*"))
    assert not list(found.out.rglob("evaluation*"))


def test_trials_cannot_see_the_test_part(searched: Searched) -> None:
    """Targets and predictions are asked for by case: none of the test part's."""
    assert searched.asked
    assert all(test and not cases & test for cases, test in searched.asked)


def test_the_best_plan_trains(searched: Searched, tiny_data: Path, tmp_path: Path) -> None:
    found = searched.found
    asked = found.asked
    assert asked == from_file(found.plan)
    assert asked["training.learning_rate"] == found.best["training.learning_rate"]
    run = hf.train(tiny_data, asked, out=tmp_path / "run")
    assert run.status == "finished"
    history = run.members[0].history()
    assert history["monitor"][-1] == pytest.approx(found.score)


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(
    searched: Searched, tiny_data: Path, plan: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        hf.tune(tiny_data, plan, SEARCH, out=out, watch=Watching(4))
    resumed = hf.tune(tiny_data, plan, SEARCH, out=out)
    whole = searched.found
    assert comparable(resumed.table).equals(comparable(whole.table))
    assert resumed.plan.read_text() == whole.plan.read_text()
    again = Watching()
    assert hf.tune(tiny_data, plan, SEARCH, out=out, watch=again).table.equals(resumed.table)


def test_another_search_in_the_folder_is_refused(
    searched: Searched, tiny_data: Path, plan: dict[str, Any]
) -> None:
    found = searched.found
    with pytest.raises(RunError, match="another seed"):
        hf.tune(tiny_data, plan, hf.Search(trials=4, seed=4), out=found.out)
    with pytest.raises(RunError, match="other values"):
        hf.tune(tiny_data, plan | {"training.epochs": 3}, SEARCH, out=found.out)


def test_the_budget_ends_a_search(tiny_data: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    watch = Watching()
    search = hf.Search(trials=50, budget=1e-6)
    found = hf.tune(tiny_data, plan, search, out=tmp_path / "out", watch=watch)
    assert found.table.height == 1
    assert watch.said[-1] == "the budget allows no trial more after 1"


def test_a_trial_that_cannot_train_is_told_and_the_search_goes_on(
    tiny_data: Path, plan: dict[str, Any], tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("training.learning_rate: {among: [1.0e-3, 1.0e+30]}\n")
    search = hf.Search(trials=2, space=space, pruner="none", seed=2)
    asked = plan | {"training.learning_rate": 1e-3, "training.clip_gradient": 0.0}
    found = hf.tune(tiny_data, asked, search, out=tmp_path / "out")
    states = dict(zip(found.table["training.learning_rate"], found.table["state"], strict=True))
    assert states == {1e-3: "finished", 1e30: "refused"}
    refused = found.table.filter(pl.col("state") == "refused")
    assert all("loss is" in problem for problem in refused["problem"])


def test_without_validation_data_there_is_no_search(tmp_path: Path, plan: dict[str, Any]) -> None:
    digits = load_digits()
    pixels = pl.DataFrame(digits.data[:60].astype(int), schema=[f"pixel{n}" for n in range(64)])
    labelled = pixels.insert_column(0, pl.Series("label", digits.target[:60] % 2))
    labelled.write_csv(tmp_path / "train.csv")
    asked = plan | {"data.train": 0.85, "data.val": 0.0}
    with pytest.raises(InputError, match="no validation part"):
        hf.tune(tmp_path / "train.csv", asked, out=tmp_path / "out")


# The space


def test_the_default_space_holds_the_plan(plan: dict[str, Any]) -> None:
    made = Plan.model_validate({"model": {"name": "cnn", "settings": {"dropout": 0.3}}})
    space = default_space(made, (), 200)
    own = own_values(space, made)
    assert own is not None
    assert own["training.batch"] == 32
    assert own[STRENGTH] == 1.0
    assert default_space(made, (), 8)["training.batch"] == Among((32,))


def test_the_strength_multiplies_what_the_plan_augments_by() -> None:
    asked = as_asked({STRENGTH: 1.5, "augmentation.noise": 0.01}, Plan())
    assert asked["augmentation.rotate"] == 15.0
    assert asked["augmentation.noise"] == 0.01  # drawn itself
    assert STRENGTH not in asked
    from_paths(asked)
    assert as_asked({STRENGTH: 1.0}, Plan()) == {}
    from_paths(as_asked({STRENGTH: 1000.0}, Plan()))


def test_a_space_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    fields = {
        "training.learning_rate": [1e-5, 1e-2, "log"],
        "training.warmup": [0.0, 0.3],
        "training.epochs": [5, 9],
        "training.batch": {"among": [8, 64]},
        "training.optimizer": ["adam", "sgd"],
        "preprocessing.size": [[64, 64], [96, 96]],
    }
    path.write_text(yaml.safe_dump(fields))
    space = read_space(path)
    assert space["training.learning_rate"] == Range(1e-5, 1e-2, log=True)
    epochs = space["training.epochs"]
    assert isinstance(epochs, Range)
    assert epochs.whole
    assert space["training.batch"] == Among((8, 64))
    assert space["training.optimizer"] == Among(("adam", "sgd"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training.learning_rat: [1, 2]", "no field 'training.learning_rat'"),
        ("data.seed: [1, 2]", "compares nothing"),
        ("training.learning_rate: [0.1, 0.01]", "is no range"),
        ("training.learning_rate: [0, 0.01, log]", "is no range of a logarithm"),
        ("training.optimizer: [adam, lion]", "cannot be 'lion'"),
        ("training.optimizer: adam", "cannot be searched"),
        ("augmentation.strength: [-1, 2]", "cannot be"),
        ("- 3", "no mapping"),
        ("{", "cannot be read"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_space(path)


def test_a_network_that_is_not_there_is_refused_before_any_image(tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("model.name: [cnn, resnet999]\n")
    for search in (hf.Search(networks=("cnn", "resnet999")), hf.Search(space=space)):
        with pytest.raises(UsageError, match="resnet999"):
            hf.tune(tmp_path / "no-data", {}, search, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_search_needs_a_trial(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a trial"):
        hf.tune(tiny_data, {}, hf.Search(trials=0), out=tmp_path / "out")
