"""What a search found: the best plan, the table of its trials, a figure, and what to make of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.files import whole_file, write_text
from hounsfield.progress import Watch

if TYPE_CHECKING:
    import polars as pl

    from hounsfield.run import Run

STATES = {"COMPLETE": "finished", "PRUNED": "stopped early", "FAIL": "refused"}
ENOUGH = 8  # finished trials, under which no value's importance can be told


@dataclass(frozen=True, eq=False)
class Tuned:
    """A search's result: the folder, the best values and their score on validation data.

    score: the metric's own value, of the best of `trials` that were scored: optimistic.
    table: one row a trial.
    """

    out: Path
    best: dict[str, Any]
    metric: str
    score: float
    scored: int
    table: pl.DataFrame

    @property
    def plan(self) -> Path:
        """What `hounsfield train DATA --plan` takes."""
        return self.out / "plan.yaml"

    @property
    def asked(self) -> dict[str, Any]:
        """The best plan's values, for `hf.train`."""
        from hounsfield.plan.asked import from_file

        return from_file(self.plan)

    @property
    def caution(self) -> str:
        """What the best score is worth."""
        return (
            f"{self.metric} {self.score:.3f} is the best of {self.scored} on the same validation "
            "cases, so part of it is luck: expect less. No trial has seen the test part; "
            "`hounsfield train` with this plan measures on it once."
        )


def write_results(study: Any, out: Path, kept: dict[str, Any]) -> Tuned:
    """plan.yaml and trials.csv of the trials so far; no plan before one is scored."""
    ended = [one for one in study.get_trials(deepcopy=False) if one.state.is_finished()]
    ended = [one for one in ended if one.state.name != "FAIL" or one.user_attrs.get("problem")]
    scored = [one for one in ended if one.state.name == "COMPLETE"]
    metric = next((m for one in scored if (m := one.user_attrs.get("metric"))), "score")
    table = _table(ended, metric)
    with whole_file(out / "trials.csv") as file:
        table.write_csv(file)
    if not scored:
        return Tuned(out, {}, metric, float("nan"), 0, table)
    best = max(scored, key=lambda one: one.value)
    drawn = {path: _plain(value) for path, value in best.user_attrs["asked"].items()}
    found = Tuned(out, drawn, metric, shown(metric, best.value), len(scored), table)
    _write_plan(found, {**kept, **drawn})
    return found


def save_figure(study: Any, found: Tuned) -> None:
    """history.png: scores by trial, and which values mattered, where enough trials tell it."""
    from hounsfield.reports.tuning_figure import figure

    if not found.scored:
        return
    with whole_file(found.out / "history.png") as file:
        file.write(figure(found.table, _importances(study, found.scored), found.metric))


def tell_time(base: Run, trials: int, budget: float | None, watch: Watch) -> None:
    """How long the trials take at most, by the speed that was measured before."""
    if trials <= 0:
        return
    plan, told = base.resolved, f"{trials} trials of {base.resolved.plan.training.epochs} epochs"
    speeds = [
        float(number)
        for choice in plan.choices.values()
        if choice.by == "measured"
        for number in re.findall(r"([\d.]+(?:e[+-]?\d+)?) images/s", choice.evidence or "")
    ]
    if not speeds or max(speeds) <= 0:
        limit = f", at most {budget:g} minutes" if budget else ""
        watch.say(f"{told}{limit}; the first trial tells how long one takes")
        return
    training = plan.plan.training
    cases = sum(len(base.split.fold(fold)[0]) for fold in range(training.folds)) * training.seeds
    minutes = trials * training.epochs * cases / max(speeds) / 60
    said = f"{told}: {_minutes(minutes)} of training, less where trials are stopped early"
    if budget and budget < minutes:
        most = max(1, int(trials * budget / minutes))
        said += f"; the budget of {budget:g} min is enough for about {most}"
    watch.say(said)


def shown(metric: str, monitor: float) -> float:
    """The metric's own value: what is watched grows with quality, so errors carry a minus."""
    from hounsfield.metrics import METRICS
    from hounsfield.metrics import metric as named

    return -monitor if metric in METRICS and not named(metric).higher_is_better else monitor


def _minutes(minutes: float) -> str:
    return "less than a minute" if minutes < 1 else f"about {minutes:.0f} min"


def _table(ended: list[Any], metric: str) -> pl.DataFrame:
    """trial, state, the metric, epochs, seconds, problem, and a column for each value drawn."""
    import polars as pl

    rows = []
    for number, one in enumerate(ended, start=1):
        told = one.user_attrs
        seen = [value for value in one.intermediate_values.values() if not math.isnan(value)]
        score = one.value if one.state.name == "COMPLETE" else max(seen, default=None)
        row = {"trial": number, "state": STATES[one.state.name]}
        row |= {metric: None if score is None else shown(metric, score)}
        row |= {"epochs": told.get("epochs"), "seconds": told.get("seconds")}
        rows.append(row | {"problem": told.get("problem") or ""} | one.params)
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


def _write_plan(found: Tuned, asked: dict[str, Any]) -> None:
    import yaml

    from hounsfield.plan.asked import nest
    from hounsfield.plan.resolved import plain

    head = (
        f"# The best of {found.scored} trials by {found.metric} on validation data, "
        f"{found.score:.4f}.\n# Chosen as the best, so part of it is luck: expect less on new "
        "cases.\n"
    )
    values = nest({path: plain(value) for path, value in asked.items()})
    write_text(found.plan, head + yaml.safe_dump(values, sort_keys=False))


def _importances(study: Any, scored: int) -> dict[str, float]:
    """The share of the scores' variance that each value explains (fANOVA, Hutter et al. 2014)."""
    import optuna

    if scored < ENOUGH:
        return {}
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except (RuntimeError, ValueError):  # all scores are equal: nothing to explain
        return {}
    return {str(name): float(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
