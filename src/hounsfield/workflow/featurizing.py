"""Images as features of a network's layer, streamed to Parquet; and what scikit-learn makes of
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError, UsageError
from hounsfield.files import refuse_existing
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, cache_of, catalog_of, is_built_in, tell
from hounsfield.workflow.measuring import on_other_data

if TYPE_CHECKING:
    import polars as pl
    from torch import nn

    from hounsfield.catalog import Catalog
    from hounsfield.catalog.findings import Finding
    from hounsfield.inference.features import Extractor
    from hounsfield.plan.resolved import Resolved
    from hounsfield.plan.schema import Plan
    from hounsfield.run import Run
    from hounsfield.training.data import CaseDataset
    from hounsfield.training.study import Study
    from hounsfield.workflow.baselines import Baseline, Labelled


@dataclass(frozen=True)
class Backbone:
    """Whose features: a network's by its name, with weights (FILE or hub), or a finished run's.

    `layer` is a module's name; empty: what the classifier gets. `asked` maps dotted paths of the
    plan to values; of a run, nothing can be asked.
    """

    network: str = ""
    run: Data | None = None
    layer: str = ""
    weights: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    keep_ids: bool = False


@dataclass(frozen=True)
class Featurized:
    """The file, how much is in it, and the baselines where they were asked for."""

    path: Path
    rows: int
    columns: int
    baselines: tuple[Baseline, ...] = ()


@dataclass(frozen=True, eq=False)
class Ready:
    """Prepared images and the network that looks at them; `labelled` where classes are known."""

    extractor: Extractor
    dataset: CaseDataset
    front: pl.DataFrame  # id, patient, label, split
    labelled: Labelled | None


def featurize(
    data: Data | None,
    out: Data,
    how: Backbone,
    *,
    baselines: bool = False,
    overwrite: bool = False,
    watch: Watch = SILENT,
) -> Featurized:
    """A row an image (or case) in a Parquet file: id, patient, label, split, f0000…

    `data` is a folder, a file, a catalog or dataset:NAME; None: the run's own. A run prepares
    images as it was trained; a network as the planner chooses for these data. Of a volume, a
    2-D network's features are averaged over slices; a run joins slices as it does to predict.
    `split` is the run's own, or the plan's, and empty where a case has no part in it.

    Raises:
        UsageError: neither or both of a network and a run, no such layer, a file in the way.
        InputError: images that do not fit; no classes to learn where baselines are asked for.
    """
    from hounsfield.inference.features import write_features
    from hounsfield.workflow.baselines import fit_baselines, folder_of

    out = Path(out)
    _check(data, out, how)
    refuse_existing((out,), overwrite=overwrite)
    if baselines:
        refuse_existing((folder_of(out) / "baselines.csv",), overwrite=overwrite)
    ready = _of_run(data, out, how, watch) if how.run else _of_network(data, out, how, watch)
    if baselines and ready.labelled is None:
        raise InputError(
            "there is no class to learn, or no split, so there are no baselines",
            file=str(data or how.run),
            expected="labelled images; of a run, its own data",
            remedy="leave --baselines out",
        )
    with watch.stage("featurize"):
        rows = ready.extractor.each(
            ready.dataset, lambda done, of: watch.tell("featurizing", done, of)
        )
        height, width = write_features(out, ready.front, rows)
    fitted: tuple[Baseline, ...] = ()
    if baselines and ready.labelled is not None:
        with watch.stage("baselines"):
            fitted = fit_baselines(out, ready.labelled, watch)
    return Featurized(out, height, width, fitted)


def _check(data: Data | None, out: Path, how: Backbone) -> None:
    if out.suffix.lower() != ".parquet":
        raise UsageError("features are written as Parquet", file=out, expected="NAME.parquet")
    if bool(how.network) == bool(how.run):
        raise UsageError(
            "whose features?", expected="either --network NAME or --run RUN", remedy="give one"
        )
    if how.run and (how.weights or how.asked):
        raise UsageError(
            "a run has its own weights and plan",
            expected="--run RUN with DATA, --layer and --out alone",
            remedy="for other weights or another plan, --network NAME",
        )
    if data is None and not how.run:
        raise UsageError("nothing to look at", expected="DATA, a folder, a file or a catalog")


def _of_run(data: Data | None, out: Path, how: Backbone, watch: Watch) -> Ready:
    """A run's first network, on its own data or on others."""
    from hounsfield.inference.features import Extractor
    from hounsfield.models import load as load_network
    from hounsfield.run import Run
    from hounsfield.training.train import trained
    from hounsfield.workflow.baselines import Labelled
    from hounsfield.workflow.training import study_of

    assert how.run is not None
    run = Run(Path(how.run))
    study = study_of(run, watch) if data is None else _other(run, data, out, how, watch)
    first, *others = run.members
    if others:
        watch.say(f"the features are of the first of {1 + len(others)} networks, {first.name}")
    cases = study.catalog.cases["case"].to_list()
    kind = load_network(study.plan.model.name)
    parts = dict(run.split.table.select("case", "part").rows()) if data is None else {}
    truths = [study.task.label(truth, study.settings) for truth in study.truths(cases)]
    return Ready(
        Extractor(trained(first, study), kind, study.plan, how.layer),
        study.dataset(cases),
        _front(study.catalog, dict(zip(cases, truths, strict=True)), parts),
        Labelled.of(study.catalog, study.task, study.settings, study.plan) if parts else None,
    )


def _other(run: Run, data: Data, out: Path, how: Backbone, watch: Watch) -> Study:
    """The run's study on other data than its own."""
    beside = beside_run(out.with_suffix(""))
    return on_other_data(run, catalog_of([data], beside, watch, keep_ids=how.keep_ids), watch)


def _of_network(data: Data | None, out: Path, how: Backbone, watch: Watch) -> Ready:
    """A network that was trained elsewhere, on images as the planner would prepare them."""
    from hounsfield.models import load as load_network
    from hounsfield.plan.asked import from_paths
    from hounsfield.plan.check import check_asked, check_inputs

    assert data is not None
    there = data if is_built_in(data) else Path(data)
    named = {"model.name": how.network, "model.weights": how.weights}
    asked = from_paths({**how.asked, **{k: v for k, v in named.items() if v}})
    check_asked(asked)
    catalog = catalog_of([there], beside_run(out.with_suffix("")), watch, keep_ids=how.keep_ids)
    kind = load_network(how.network)
    check_inputs(catalog, (2, 3))
    if int(catalog.images["depth"].max() or 1) > 1 and 3 not in kind.dimensions:  # type: ignore[arg-type]
        asked = {"model.fusion": "late", **asked}  # each slice by itself, features averaged
    if not how.weights:
        watch.say("warning: the network's weights are drawn at random; --weights FILE or hub")
    return _ready(catalog, asked, how, watch)


def _ready(catalog: Catalog, asked: dict[str, Any], how: Backbone, watch: Watch) -> Ready:
    from hounsfield.inference.features import Extractor
    from hounsfield.models import load as load_network
    from hounsfield.plan.choose import amend
    from hounsfield.training.data import CaseDataset
    from hounsfield.training.settle import statistics
    from hounsfield.training.study import prepared
    from hounsfield.workflow.baselines import Labelled

    planned = _planned(catalog, asked, watch)
    plan = planned.resolved.plan
    with watch.stage("prepare"):
        cache, readable, findings = prepared(catalog, plan, cache_of(catalog), watch.tell)
        tell((*planned.findings, *findings), watch, "warning", "stop")
    cases = readable.cases["case"].to_list()
    known = [case for case in cases if planned.parts.get(case, "train") == "train"]
    plan = amend(planned.resolved, statistics(cache, known)).plan
    labelled = Labelled.of_plan(readable, plan) if planned.parts else None
    labels = labelled.labels if labelled else {}
    return Ready(
        Extractor(_network(plan), load_network(plan.model.name), plan, how.layer),
        CaseDataset(cache, cases, None),
        _front(readable, labels, planned.parts),
        labelled,
    )


@dataclass(frozen=True)
class _Planned:
    resolved: Resolved
    parts: Mapping[str, str]  # case -> part; none where nothing can be learned
    findings: tuple[Finding, ...] = ()


def _planned(catalog: Catalog, asked: dict[str, Any], watch: Watch) -> _Planned:
    """As training would plan, with its split without leaks; without classes, the images' rules."""
    import polars as pl

    from hounsfield.catalog.fingerprint import Choice
    from hounsfield.models import load as load_network
    from hounsfield.plan.choose import resolve
    from hounsfield.plan.fingerprint import fingerprint
    from hounsfield.plan.rules import rules
    from hounsfield.tasks.contract import Choosing
    from hounsfield.workflow.planning import decide

    if catalog.annotations.filter(pl.col("kind").is_in(["class", "value"])).height:
        ready = decide(catalog, asked, watch)
        parts = dict(ready.split.table.select("case", "part").rows())
        return _Planned(ready.resolved, parts, ready.findings)
    cases = catalog.cases["case"].to_list()
    facts = fingerprint(catalog, cases, [""] * len(cases))
    choosing, network = Choosing(facts, asked), load_network(str(asked["model.name"]))
    nothing = Choice("task.settings.classes", (), "nothing is learned")
    general = rules(choosing, network.dimensions)
    return _Planned(resolve([nothing, *general, *network.choose(choosing)], asked), {})


def _network(plan: Plan) -> nn.Module:
    """The plan's network with its pretrained weights; what it would learn is not there."""
    import torch

    from hounsfield.plan.device import computing
    from hounsfield.training.train import assembled, take_pretrained

    torch.manual_seed(plan.training.seed)
    network = assembled(plan, outputs=2)  # which are never looked at
    take_pretrained(network, plan)
    return network.to(computing(plan.training)).eval()


def _front(catalog: Catalog, labels: Mapping[str, str], parts: Mapping[str, str]) -> pl.DataFrame:
    """id, patient, label and split of each case; an empty text where there is none."""
    import polars as pl

    cases = catalog.cases["case"].to_list()
    return pl.DataFrame(
        {
            "id": cases,
            "patient": catalog.cases["patient"].to_list(),
            "label": [labels.get(case, "") for case in cases],
            "split": [parts.get(case) or "" for case in cases],
        },
        schema=dict.fromkeys(("id", "patient", "label", "split"), pl.String),
    )
