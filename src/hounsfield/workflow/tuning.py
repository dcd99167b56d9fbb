"""Hyper-parameter search on validation data: Optuna's TPE, hopeless trials stopped early.

OUT/tune.db      the search (SQLite), which the same command goes on with
    plan.yaml    the best plan so far, for `hounsfield train DATA --plan`
    trials.csv   every trial: state, score, epochs, seconds, values
    history.png  the scores, and which values mattered
    base/        the plan as the rules have it, measured once
    trials/      the trial that is being trained; what is done is deleted

A trial trains and is watched on the validation part or the folds. It predicts no test case: the
test part stays for the one run that is trained from the best plan.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.files import storage_error, write_text
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, catalog_of
from hounsfield.workflow.planning import plan_run, request_of
from hounsfield.workflow.space import (
    Space,
    as_asked,
    default_space,
    described,
    networks_in,
    own_values,
    read_space,
    suggest,
)
from hounsfield.workflow.tuned import Tuned, save_figure, shown, tell_time, write_results

if TYPE_CHECKING:
    from hounsfield.run import Member, Run
    from hounsfield.training.study import Study

Pruner = Literal["median", "asha", "none"]


@dataclass(frozen=True)
class Search:
    """How many trials, how long, over what, and which are stopped early."""

    trials: int = 30
    budget: float | None = None  # minutes of all trials together
    networks: tuple[str, ...] = ()
    space: Path | None = None
    pruner: Pruner = "median"
    seed: int = 0


def tune(
    data: Data,
    asked: Mapping[str, Any] | None = None,
    search: Search | None = None,
    *,
    out: Data = "tune",
    watch: Watch = SILENT,
) -> Tuned:
    """The best plan of a search on validation data, in OUT; the same call goes on with one.

    `asked` holds what every trial keeps, dotted path -> value. Akiba et al., KDD 2019 (Optuna);
    Bergstra et al., NeurIPS 2011 (TPE).

    Raises:
        RunError: OUT holds a search of other values, or another process is searching there.
        InputError: there is no validation part. UsageError: a space that does not fit, no such
            network.
    """
    from hounsfield.models import load as load_network
    from hounsfield.plan.asked import from_paths

    search, out, checked = search or Search(), Path(out), from_paths(asked or {})
    if search.trials < 1 or (search.budget is not None and search.budget <= 0):
        raise UsageError("a search needs a trial, and time", expected="--trials 1 or more")
    own = read_space(search.space) if search.space else None
    for name in (*search.networks, *networks_in(own or {})):
        load_network(name)  # refuses what does not exist before any image is read
    with _locked(out):
        tuner = _begun(data, checked, search, own, out, watch)
        try:
            _to_the_end(tuner, watch)
            found = write_results(tuner.study, out, tuner.known)
            save_figure(tuner.study, found)
        finally:
            tuner.study._storage.remove_session()
    return found


@dataclass(frozen=True, eq=False)
class _Tuner:
    """A search that has begun: its plan, its space, and Optuna's study."""

    search: Search
    out: Path
    data: str  # the catalog
    asked: dict[str, Any]  # what every trial keeps, with what was measured
    known: dict[str, Any]  # the same for the best plan, with the label map
    base: Run
    space: Space
    study: Any  # optuna.Study


def _begun(
    data: Data,
    asked: dict[str, Any],
    search: Search,
    own: Space | None,
    out: Path,
    watch: Watch,
) -> _Tuner:
    """Index, plan and measure once, then open the search."""
    label_map = asked.get("data.label_map")
    catalog = catalog_of([data], beside_run(out), watch, label_map=label_map)
    if search.networks:
        asked = {**asked, "model.name": search.networks[0]}
    kept = {path: value for path, value in asked.items() if path != "data.label_map"}
    base = _planned(out / "base", str(catalog.folder), kept, watch)
    resolved, split = base.resolved, base.split
    train, val = split.fold(0)
    if not val:
        raise InputError(
            "there is no validation part, and a search must not look at the test part",
            file=out,
            remedy="--data.val 0.15, or --folds 5 for cross-validation",
        )
    space = own or default_space(resolved.plan, search.networks, len(train))
    for path in space:
        kept.pop(path, None)
    measured = {
        path: choice.value
        for path, choice in resolved.choices.items()
        if choice.by == "measured" and path.startswith("training.") and path not in space
    }
    kept |= measured
    known = kept | ({"data.label_map": str(label_map)} if label_map else {})
    study = _study(search, out, {"asked": asked, "space": described(space)}, resolved.plan)
    _take_up(study, space, resolved.plan, out)
    return _Tuner(search, out, str(catalog.folder), kept, known, base, space, study)


def _to_the_end(tuner: _Tuner, watch: Watch) -> None:
    """Trials until there are enough of them, or the time is up."""
    search, study = tuner.search, tuner.study
    tell_time(tuner.base, search.trials - len(_done(study)), search.budget, watch)
    with watch.stage("tune"):
        while len(done := _done(study)) < search.trials:
            spent = [one.user_attrs.get("seconds", 0.0) for one in done]
            left = (search.budget or float("inf")) * 60 - sum(spent)
            if done and left < sum(spent) / len(done):
                watch.say(f"the budget allows no trial more after {len(done)}")
                break
            study.sampler = _sampler(search.seed, len(done))
            _one(tuner, study.ask(), len(done) + 1, watch)
            write_results(study, tuner.out, tuner.known)


def _one(tuner: _Tuner, trial: Any, number: int, watch: Watch) -> None:
    """One trial from its values to its score; a killed one goes on from its last whole epoch."""
    from optuna.trial import TrialState

    drawn = suggest(trial, tuner.space)
    asked = {**tuner.asked, **as_asked(drawn, tuner.base.resolved.plan)}
    folder = tuner.out / "trials" / str(trial.user_attrs.get("folder", trial.number))
    trial.set_user_attr("folder", folder.name)
    trial.set_user_attr("asked", as_asked(drawn, tuner.base.resolved.plan))
    began = time.monotonic()
    told = f"trial {number} of {tuner.search.trials}"
    score, state, problem = None, TrialState.COMPLETE, ""
    try:
        watch.tell(f"{told}: preparing", 0, None)
        run = _planned(folder, tuner.data, asked, SILENT)
        score = _score(run, trial, told, watch)
    except _Hopeless:
        state = TrialState.PRUNED
    except (InputError, UsageError) as error:
        if number == 1:
            raise
        state, problem = TrialState.FAIL, error.problem
    trial.set_user_attr("seconds", round(time.monotonic() - began, 3))
    trial.set_user_attr("problem", problem)
    trial.set_user_attr("epochs", len(_reported(tuner.study, trial)))
    tuner.study.tell(trial, score, state)
    for path in (folder, beside_run(folder)):
        shutil.rmtree(path, ignore_errors=True)


class _Hopeless(Exception):  # noqa: N818  (no error: the pruner's word)
    """A trial that is stopped early."""


def _score(run: Run, trial: Any, told: str, watch: Watch) -> float:
    """The mean over members of the monitor on the cases that each did not learn from."""
    from hounsfield.training.train import train_members
    from hounsfield.workflow.training import study_of

    study: Study = study_of(run)
    first = run.members[0]
    for line in _history(first):  # of the process that was killed
        trial.report(float(line["monitor"]), int(line["epoch"]))

    def said(member: Member, done: int, of: int, line: Mapping[str, Any]) -> None:
        value = float(line["monitor"])
        metric = str(line["metric"])
        watch.tell(f"{told}: {member.name}, {metric} {shown(metric, value):.3f}", done, of)
        if member == first:
            trial.report(value, done)
            trial.set_user_attr("metric", metric)
            if done < of and trial.should_prune():
                raise _Hopeless

    train_members(study, said)
    return sum(_reached(run, member) for member in run.members) / len(run.members)


def _reached(run: Run, member: Member) -> float:
    """The monitor of the weights that a member keeps: the best epoch's, or the last one's."""
    from hounsfield.training.fit import AS_GOOD
    from hounsfield.training.schedule import best_epoch

    watched = [float(line["monitor"]) for line in _history(member)]
    kept = best_epoch(watched, AS_GOOD) if run.resolved.plan.training.patience else -1
    if math.isnan(watched[kept]):
        raise InputError(
            "the validation part cannot be scored: a class is missing in it",
            file=run.path,
            remedy="ask for a larger --data.val, or for --folds 5",
        )
    return watched[kept]


def _history(member: Member) -> list[dict[str, Any]]:
    if not member.log.exists():
        return []
    return [json.loads(line) for line in member.log.read_text().splitlines()]


def _planned(path: Path, data: str, asked: dict[str, Any], watch: Watch) -> Run:
    """A run that is planned and may be trained; one that was stopped is taken up.

    Raises:
        RunError: it was planned with other values.
    """
    from hounsfield.run import Run

    if not (path / "run.json").exists():
        Run.create(path)
    run = Run(path)
    if run.status == "planned":
        request = {"data": data, "asked": asked, "keep_ids": False}
        text = json.dumps(request, default=str)
        write_text(beside_run(path) / "request.json", text, private=True)
        plan_run(run, watch)
    elif request_of(run)["asked"] != json.loads(json.dumps(asked, default=str)):
        raise RunError("was planned with other values", file=path, remedy="choose another --out")
    return run


# Optuna


def _study(search: Search, out: Path, values: dict[str, Any], plan: Any) -> Any:
    """The search in OUT/tune.db, made or found; values are what must be the same in both."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    epochs = plan.training.epochs
    pruner = {
        "median": lambda: optuna.pruners.MedianPruner(4, max(2, epochs // 3)),
        "asha": lambda: optuna.pruners.SuccessiveHalvingPruner(max(1, epochs // 9), 3),
        "none": optuna.pruners.NopPruner,
    }[search.pruner]()
    storage = f"sqlite:///{(out / 'tune.db').absolute()}"
    study = optuna.create_study(
        storage=storage,
        study_name="tune",
        direction="maximize",  # the monitor: errors stand in it with a minus
        pruner=pruner,
        load_if_exists=True,
    )
    wanted = json.loads(
        json.dumps({**values, "seed": search.seed, "pruner": search.pruner}, default=str)
    )
    found = study.user_attrs.get("search")
    if found is not None and found != wanted:
        differs = ", ".join(sorted(key for key in wanted if wanted[key] != found.get(key)))
        raise RunError(
            f"there is a search of another {differs}", file=out, remedy="choose another --out"
        )
    study.set_user_attr("search", wanted)
    return study


def _take_up(study: Any, space: Space, plan: Any, out: Path) -> None:
    """Begin with the plan's own values; trials that were killed are closed and asked for again."""
    from optuna.trial import TrialState

    if not study.trials:
        own = own_values(space, plan)
        if own is not None:
            study.enqueue_trial(own)
    for old in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(old.number, state=TrialState.FAIL)
        folder = str(old.user_attrs.get("folder", old.number))
        study.enqueue_trial(old.params, user_attrs={"folder": folder})


def _sampler(seed: int, done: int) -> Any:
    """Each trial has a seed of its own: a search that was stopped draws on as it would have."""
    import optuna

    return optuna.samplers.TPESampler(seed=(seed * 1_000_003 + done) % 2**32)


def _done(study: Any) -> list[Any]:
    """Trials that reached an end of their own: scored, stopped early, or refused."""
    from optuna.trial import TrialState

    ended = study.get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    )
    return [one for one in ended if one.state != TrialState.FAIL or one.user_attrs.get("problem")]


def _reported(study: Any, trial: Any) -> dict[int, float]:
    values: dict[int, float] = study.trials[trial.number].intermediate_values
    return values


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the search against other processes."""
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            "another process is searching here", file=out, remedy="wait for it, or end it first"
        ) from None
    except OSError as error:
        raise storage_error(error, out) from error
    try:
        yield
    finally:
        lock.release()
