"""How slices of a volume should enter a network: every way trained on one split and budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError, RunError, UsageError, did_you_mean
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.arms import train_arms
from hounsfield.workflow.data import Data, beside_run, catalog_of

if TYPE_CHECKING:
    import polars as pl

    from hounsfield.catalog import Catalog
    from hounsfield.reports.fusion import Arm, Study
    from hounsfield.run import Run

# What each way asks of the plan. Without a depth it gets as many slices as are asked for, or the
# rule's; resnet50 is timm's, whose 2048 features a linear layer classifies.
ARMS: dict[str, dict[str, Any]] = {
    "single": {"model.fusion": "channels", "slices": "adjacent", "depth": 1},
    "three-channel": {"model.fusion": "channels", "slices": "adjacent", "depth": 3},
    "early": {"model.fusion": "channels", "slices": "spread"},
    "late": {"model.fusion": "late", "slices": "spread"},
    "late-each": {"model.fusion": "late-each", "slices": "spread"},
    "attention": {"model.fusion": "attention", "slices": "spread"},
    "3D": {"model.fusion": "volume", "slices": "resampled"},
    "resnet50": {
        "model.fusion": "channels",
        "slices": "adjacent",
        "depth": 3,
        "model.name": "resnet50",
    },
}
SET_HERE = ("model.fusion", "model.table", "preprocessing.slices")


@dataclass(frozen=True)
class Wanted:
    """Which arms, the minutes that all may take together, and resnet50's pretrained weights."""

    arms: tuple[str, ...] = tuple(ARMS)
    budget: float | None = None
    weights: str = ""  # FILE or hub


def compare_fusion(
    data: Data,
    asked: Mapping[str, Any] | None = None,
    *,
    out: Data = "fusion",
    wanted: Wanted | None = None,
    watch: Watch = SILENT,
) -> Study:
    """Train each arm on the same split and budget, and compare each with the first, paired.

    Writes into OUT a run ARM and its table ARM.csv (image, probabilities, label of the test part),
    and comparison.csv and comparison.html. `asked` holds fields of the plan for all arms;
    `preprocessing.depth` is the number of slices of early, late and attention, and
    `model.name` the network of all arms but resnet50. What is finished is kept.

    Raises:
        UsageError: an arm that there is not, or a value that the arms decide.
        InputError: pictures, or volumes with fewer slices than an arm needs.
    """
    from hounsfield.plan.asked import from_paths
    from hounsfield.plan.check import check_asked
    from hounsfield.reports import fusion as report

    out, wanted = Path(out), wanted or Wanted()
    _check_wanted(wanted, out)
    checked = from_paths(asked or {})
    check_asked(checked)
    _check_asked(checked)
    shared = checked | {"training.budget": _budget(checked, wanted, watch)}
    label_map = shared.pop("data.label_map", None)
    catalog = catalog_of([data], beside_run(out), watch, label_map=label_map)
    arms = arms_of(shared, wanted, catalog)
    runs = train_arms(catalog.folder or data, arms, out, watch=watch)
    with watch.stage("compare"):
        for name, run in runs.items():
            _write_csv(run, out / f"{name}.csv")
        study = report.Study(tuple(_measured(name, runs, watch) for name in runs))
        report.write(study, out)
    return study


def arms_of(shared: Mapping[str, Any], wanted: Wanted, catalog: Catalog) -> dict[str, Any]:
    """What each arm asks for, all of it: the same size of picture for all.

    Raises:
        InputError: pictures, or volumes with fewer slices than an arm needs.
    """
    from hounsfield.plan.rules import FUSED_SLICES

    images = _used(catalog)
    deepest, shallowest = (int(getattr(images["depth"], end)()) for end in ("max", "min"))
    if deepest < 2:
        raise InputError(
            f"the {images.height} images are pictures of one slice",
            file=catalog.folder,
            expected="volumes, whose slices can be joined in several ways",
            remedy="`hounsfield train` learns from pictures",
        )
    depth = int(shared.get("preprocessing.depth", max(2, min(FUSED_SLICES, shallowest))))
    arms = {}
    for name in wanted.arms:
        arms[name] = _arm(name, shared, wanted, depth)
        arms[name].setdefault("preprocessing.size", _size(images))
        _check_depth(name, arms[name], catalog)
    return arms


def _arm(name: str, shared: Mapping[str, Any], wanted: Wanted, depth: int) -> dict[str, Any]:
    from hounsfield.models import load

    own = ARMS[name]
    kept = dict(shared)
    given = str(kept.pop("model.name", ""))
    kept.pop("preprocessing.depth", None)
    network = own.get("model.name", given)
    if own["model.fusion"] == "volume" and given and 3 not in load(given).dimensions:
        network = "cnn"
    if network != given:  # what was asked of another network does not fit this one
        kept = {path: v for path, v in kept.items() if not path.startswith("model.settings.")}
        kept.pop("model.weights", None)
    if name == "resnet50" and wanted.weights:
        is_file = Path(wanted.weights).is_file()
        kept["model.weights"] = str(Path(wanted.weights).absolute()) if is_file else wanted.weights
    slices = {"model.fusion": own["model.fusion"], "preprocessing.slices": own["slices"]}
    if own["model.fusion"] != "volume":
        slices["preprocessing.depth"] = own.get("depth", depth)
    return kept | slices | ({"model.name": network} if network else {})


def _budget(asked: Mapping[str, Any], wanted: Wanted, watch: Watch) -> float:
    """Minutes a network; says first what all will take."""
    from hounsfield.plan.schema import TrainingPlan

    each = asked.get("training.folds", 1) * asked.get("training.seeds", 1)
    networks = len(wanted.arms) * each
    minutes = asked.get("training.budget", TrainingPlan().budget)
    if wanted.budget is not None:
        minutes = wanted.budget / networks
    watch.say(
        f"{networks} networks, {round(minutes, 2):g} min of training each at most: "
        f"{round(networks * minutes, 2):g} min in all, besides reading, preparing and evaluating "
        "(--budget MINUTES sets the sum, --arms chooses some)"
    )
    if "training.epochs" in asked:
        watch.say("training.epochs is given: each network learns for as long as that takes")
    if not wanted.weights and "resnet50" in wanted.arms:
        watch.say("resnet50 learns from scratch: --weights FILE or --weights hub gives it more")
    return float(minutes)


def _check_wanted(wanted: Wanted, out: Path) -> None:
    for name in wanted.arms:
        if name not in ARMS:
            raise UsageError(f"there is no arm {name!r}", remedy=did_you_mean(name, ARMS))
    if len(set(wanted.arms)) < 2:
        raise UsageError(
            f"{len(set(wanted.arms))} arm compares with nothing",
            expected=f"two or more of {', '.join(ARMS)}",
        )
    if wanted.budget is not None and not 0 < wanted.budget < inf:
        raise UsageError(f"--budget {wanted.budget:g}", expected="minutes, above 0")
    if wanted.weights not in ("", "hub") and not Path(wanted.weights).is_file():
        raise InputError(
            "there is no such weights file", file=wanted.weights, remedy="check --weights"
        )
    if (out / "run.json").exists():
        raise RunError("there is a run, not a comparison", file=out, remedy="choose another --out")


def _check_asked(asked: Mapping[str, Any]) -> None:
    for path in SET_HERE:
        if path in asked:
            raise UsageError(
                f"{path} is what the arms of the comparison differ in, or have no place for",
                remedy=f"leave it out; --arms chooses among {', '.join(ARMS)}",
            )
    if asked.get("preprocessing.depth", 2) < 2:
        raise UsageError(
            "preprocessing.depth 1 leaves early, late and attention no slices to join",
            expected="2 slices or more",
        )


def _check_depth(name: str, arm: Mapping[str, Any], catalog: Catalog) -> None:
    """Refuse volumes that have fewer slices than the arm needs; a 3-D network needs two."""
    need = int(arm.get("preprocessing.depth", 2))
    images = _used(catalog)
    short = images.filter(images["depth"] < need)
    if not short.height:
        return
    few = int(str(short["depth"].min()))
    raise InputError(
        f"{short.height} of {images.height} volumes have fewer than the {need} slices that "
        f"{name} needs; the smallest has {few}",
        file=catalog.folder,
        expected=f"volumes of at least {need} slices",
        remedy="take these volumes out, ask for fewer with --preprocessing.depth, or leave "
        f"{name} out of --arms",
    )


def _used(catalog: Catalog) -> pl.DataFrame:
    """The images that cases are made of."""
    names = catalog.cases["inputs"].explode().struct.field("image").to_list()
    return catalog.images.filter(catalog.images["image"].is_in(names))


def _size(images: pl.DataFrame) -> tuple[int, int]:
    """One size for all arms: small slices stay as they are, larger ones as 3-D networks can."""
    from hounsfield.plan.rules import SMALL_VOLUME

    sides = [images[name] for name in ("height", "width")]
    if max(int(str(side.max())) for side in sides) > 64:
        return SMALL_VOLUME
    height, width = (max(8, round(float(str(side.median())))) for side in sides)
    return height, width


def _measured(name: str, runs: Mapping[str, Run], watch: Watch) -> Arm:
    """An arm's numbers, and its differences from the first arm."""
    from hounsfield.evaluation.record import Evaluation
    from hounsfield.reports.fusion import Arm
    from hounsfield.training.study import Study as Trained
    from hounsfield.training.train import build
    from hounsfield.workflow.measuring import compare

    run, first = runs[name], next(iter(runs))
    watch.tell("comparing", list(runs).index(name), len(runs))
    plan = run.resolved.plan
    study = Trained.of(run, None)
    network = build(plan, study.task, study.settings, run.table)
    return Arm(
        name=name,
        network=plan.model.name,
        slices=plan.preprocessing.depth,
        parameters=sum(p.numel() for p in network.parameters()),
        epochs=max(member.history().height for member in run.members),
        seconds=run.seconds.get("train", float("nan")),
        evaluation=Evaluation.load(run.evaluation("test")),
        differences=() if name == first else tuple(compare([run.path, runs[first].path])),
        notes=tuple(_notes(run)),
    )


def _notes(run: Run) -> Sequence[str]:
    """Where the weights came from, of the network and of its slices."""
    from hounsfield.reports.method import slices

    said = [str(run.state["pretrained"])] if "pretrained" in run.state else []
    return [*said, *slices(run)]


def _write_csv(run: Run, path: Path) -> None:
    """image, the probabilities and the label of each test case, in the split's order."""
    from hounsfield.files import whole_file
    from hounsfield.inference.table import FIRST, read_predictions

    table = read_predictions(run.predictions("test"))
    told = [name for name in table.columns if name not in (*FIRST, "unlike")]
    with whole_file(path) as file:
        table.select("image", *(told or ["prediction"]), "label").write_csv(file)
