"""Several runs that differ in what is compared and in nothing else: one catalog, one split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import RunError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, catalog_of
from hounsfield.workflow.training import resume, train

if TYPE_CHECKING:
    from hounsfield.run import Run

Asked = Mapping[str, Any]  # dotted path of the plan -> value


def train_arms(
    data: Data,
    arms: Mapping[str, Asked],
    out: Data,
    *,
    label_map: Path | None = None,
    watch: Watch = SILENT,
) -> dict[str, Run]:
    """A finished run in OUT/NAME for each arm, trained on one catalog, OUT.catalog.

    Each arm asks for all its values, also those that all share (a seed of the split, a
    budget). What is finished is kept, what was stopped goes on.

    Raises:
        RunError: OUT/NAME was made from other values.
    """
    out = Path(out)
    catalog = catalog_of([data], beside_run(out), watch, label_map=label_map)
    runs: dict[str, Run] = {}
    for number, (name, asked) in enumerate(arms.items(), start=1):
        watch.say(f"{name} ({number} of {len(arms)})")
        runs[name] = _arm(catalog.folder or data, asked, out / name, watch)
    return runs


def _arm(data: Data, asked: Asked, path: Path, watch: Watch) -> Run:
    from hounsfield.plan.asked import from_paths
    from hounsfield.run import Run
    from hounsfield.workflow.planning import request_of

    if not (path / "run.json").exists():
        return train(data, asked, out=path, watch=watch)
    wanted = json.loads(json.dumps(from_paths(asked), default=str))
    if request_of(Run(path))["asked"] != wanted:
        raise RunError(
            "there is a run of other values",
            file=path,
            expected=", ".join(f"{name}={value}" for name, value in asked.items()),
            remedy="choose another --out",
        )
    return resume(path, watch=watch)
