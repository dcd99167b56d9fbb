"""hounsfield tune DATA"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hounsfield.cli.asking import Flags, asked


def tune(
    data: str,
    /,
    *,
    out: Path = Path("tune"),
    trials: int = 30,
    budget: float | None = None,
    networks: str = "",
    space: Path | None = None,
    pruner: Literal["median", "asha", "none"] = "median",
    seed: int = 0,
    plan: Path | None = None,
    task: str | None = None,
    folds: int | None = None,
    flags: Flags = None,
) -> None:
    """Search for better hyper-parameters on validation data; the test part is not touched.

    Trials that fall behind are stopped early. The same command goes on with a search that was
    stopped, also by a power cut. OUT/plan.yaml is the best plan: `hounsfield train DATA --plan
    OUT/plan.yaml` trains it and measures it on the test part, once.

    Parameters
    ----------
    data
        A folder of images, an .npz or .csv file, a catalog, or dataset:digits.
    out
        The folder of the search.
    trials
        How many plans to try, with those of an earlier call.
    budget
        Minutes that all trials may take together.
    networks
        Networks to choose from, e.g. cnn,resnet18.
    space
        A YAML file of fields to search: `training.learning_rate: [0.0001, 0.01, log]`.
    pruner
        What stops a trial early: the median of the others, successive halving, or nothing.
    seed
        Of the search.
    plan
        A plan.yaml with values that every trial keeps.
    task
        classification, ordinal, regression …, where the annotations allow several.
    folds
        Score each trial by cross-validation with this many folds.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal()
    values = asked(flags, plan, {"task.name": task, "training.folds": folds})
    names = tuple(name.strip() for name in networks.split(",") if name.strip())
    search = workflow.Search(
        trials=trials, budget=budget, networks=names, space=space, pruner=pruner, seed=seed
    )
    found = workflow.tune(data, values, search, out=out, watch=watch)
    for path, value in found.best.items():
        watch.say(f"{path}: {value}")
    if found.best:
        watch.say(found.caution)
        watch.say(str(found.plan))
