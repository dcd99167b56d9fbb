"""All that is decided before the first step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import RunError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, audit, beside_run, cache_of, catalog_of, noticed, tell

if TYPE_CHECKING:
    from hounsfield.audit import Audit
    from hounsfield.catalog import Catalog, Finding
    from hounsfield.catalog.fingerprint import Fingerprint
    from hounsfield.catalog.split import Split
    from hounsfield.plan.resolved import Resolved
    from hounsfield.run import Run


def plan(
    data: Data, asked: Mapping[str, Any] | None = None, *, out: Data = "plan", watch: Watch = SILENT
) -> Resolved:
    """What `train` would do with these data, each value with its reason; trains nothing."""
    from hounsfield.plan.asked import from_paths
    from hounsfield.plan.check import check_asked

    checked = from_paths(asked or {})
    check_asked(checked)
    beside = beside_run(Path(out).with_suffix(""))
    catalog = catalog_of([data], beside, watch, label_map=checked.get("data.label_map"))
    ready = decide(catalog, checked, watch)
    tell(ready.findings, watch, "warning", "stop")
    return ready.resolved


def plan_run(run: Run, watch: Watch) -> None:
    """Everything before training, done again from the start when a run was stopped in it."""
    from hounsfield.audit.sheet import save as save_sheet
    from hounsfield.plan.asked import from_paths
    from hounsfield.plan.cautions import CAUTIONS
    from hounsfield.plan.check import check_asked
    from hounsfield.preprocessing.warm import warm
    from hounsfield.run import installed, save_model

    request = request_of(run)
    asked = from_paths(request["asked"])
    check_asked(asked)
    catalog = catalog_of(
        [request["data"]],
        beside_run(run.path),
        watch,
        keep_ids=request["keep_ids"],
        label_map=asked.get("data.label_map"),
    )
    ready = decide(catalog, asked, watch)
    tell([one for one in ready.findings if one.kind in CAUTIONS], watch)
    with watch.stage("compile"):
        warm(ready.resolved.plan.preprocessing, ready.resolved.plan.augmentation)
    with watch.stage("prepare"):
        watch.tell("loading libraries", 0, None)
        from hounsfield.training.settle import settle

        cache = cache_of(catalog)
        settled = settle(ready.resolved, ready.catalog, ready.split, cache, watch.tell)
    save_sheet(ready.audit, catalog, run.sheets)
    run.save_data(settled.catalog, settled.split, ready.fingerprint)
    run.save_findings((*ready.findings, *settled.findings))
    save_model(run.ranges_file, settled.ranges)
    if settled.table is not None:
        run.save_table(settled.table)
    run.save_plan(asked, settled.resolved)
    run.update(status="training", versions=installed())


@dataclass(frozen=True, eq=False)
class Decided:
    resolved: Resolved
    catalog: Catalog
    split: Split
    findings: tuple[Finding, ...]
    fingerprint: Fingerprint
    audit: Audit


def decide(catalog: Catalog, asked: dict[str, Any], watch: Watch) -> Decided:
    """Task, split, audit and plan of a catalog."""
    from hounsfield.audit import apply
    from hounsfield.plan.cautions import cautions, of_labels
    from hounsfield.plan.check import check_inputs
    from hounsfield.plan.choose import choose
    from hounsfield.plan.fingerprint import fingerprint
    from hounsfield.plan.split import labelled, split_labelled, unlabelled
    from hounsfield.plan.stored import stored_split
    from hounsfield.plan.tables import check_table

    task, settings, usable = labelled(catalog, asked)
    check_inputs(usable, task.DIMENSIONS)
    check_table(usable, task, asked)
    strata = task.strata(usable, settings)
    with watch.stage("split"):
        stored, told = stored_split(usable, asked)
        dealt = stored or split_labelled(usable, strata, asked)
    with watch.stage("audit"):
        found = audit(usable, dealt, near=asked.get("audit.near", "auto"), watch=watch)
        kept, left = apply(found, dealt, asked.get("audit.on_leak", "drop"))
    with watch.stage("plan"):
        known = dict(zip(usable.cases["case"], strata, strict=True))
        training, _ = kept.fold(0)
        facts = fingerprint(usable, training, [known[case] for case in training])
        resolved = choose(asked, facts, task, settings)
        warned = cautions(resolved.plan, facts, task, kept, known)
        warned += of_labels(usable, task, settings)
    tell(told, watch, "info")
    used = usable.select(kept.table["case"].to_list())
    told = (*unlabelled(catalog, usable), *told)
    said = (*noticed(catalog), *told, *dealt.findings, *found.findings, *left, *warned)
    return Decided(resolved, used, kept, said, facts, found)


def request_of(run: Run) -> dict[str, Any]:
    """What was asked of a run, which lies beside it: it names the data."""
    try:
        asked: dict[str, Any] = json.loads((beside_run(run.path) / "request.json").read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            "the run was stopped before it began",
            file=run.path,
            remedy="train again, with --overwrite",
        ) from error
    return asked
