"""The learning rate for data and a network, found by trying."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import RunError, UsageError
from hounsfield.files import write_text
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data, beside_run, is_built_in
from hounsfield.workflow.planning import plan_run

if TYPE_CHECKING:
    from hounsfield.training.rates import Rates

STEPS = 100
FEWEST = 20


def find_rate(
    data: Data,
    asked: Mapping[str, Any] | None = None,
    *,
    out: Data = "rates",
    between: tuple[float, float] = (1e-6, 1.0),
    steps: int = STEPS,
    watch: Watch = SILENT,
) -> Rates:
    """Train the plan's network on the training part while the rate grows; keep nothing of it.

    Writes rates.csv and rates.png into the folder `out`; the catalog that is made of `data` stays
    there too, as plan.catalog.

    Raises:
        RunError: `out` holds rates already. UsageError: a plan that does not fit, or a range of
            rates that does not rise.
    """
    out = Path(out)
    _check(out, between, steps)
    from hounsfield.plan.asked import from_paths
    from hounsfield.run import Run

    checked = from_paths(asked or {})
    there = data if is_built_in(data) else Path(data).absolute()
    run = Run.create(out / "plan", overwrite=True)
    request = {"data": str(there), "asked": checked, "keep_ids": False}
    request_file = beside_run(run.path) / "request.json"
    write_text(request_file, json.dumps(request, default=str), private=True)
    try:
        plan_run(run, watch)
        found = _swept(run, between, steps, watch)
    finally:
        run.remove()
        request_file.unlink()
        for folder in (request_file.parent, out):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    _write(found, out)
    return found


def _swept(run: Any, between: tuple[float, float], steps: int, watch: Watch) -> Rates:
    from hounsfield.training.rates import spaced, sweep
    from hounsfield.training.train import begin
    from hounsfield.workflow.training import study_of

    network, job, parts = begin(study_of(run, watch), run.members[0])
    with watch.stage("sweep"):

        def said(done: int, of: int) -> None:
            watch.tell("sweeping rates", done, of)

        return sweep(network, job, parts.train, spaced(*between, steps), said)


def _check(out: Path, between: tuple[float, float], steps: int) -> None:
    if (out / "rates.csv").exists():
        raise RunError("there are rates already", file=out, remedy="choose another --out")
    low, high = between
    if not 0 < low < high or steps < FEWEST:
        raise UsageError(
            f"rates from {low:g} to {high:g} in {steps} steps",
            expected=f"two rates above 0 that rise, and {FEWEST} steps or more",
            remedy="leave them out for 1e-6 to 1 in 100 steps",
        )


def _write(found: Rates, out: Path) -> None:
    from hounsfield.preprocessing.figures import save
    from hounsfield.reports.rates_figure import figure

    lines = ["learning_rate,loss,smoothed"]
    lines += [
        f"{rate:.6g},{loss:.6g},{smooth:.6g}"
        for rate, loss, smooth in zip(found.rates, found.losses, found.smoothed, strict=True)
    ]
    write_text(out / "rates.csv", "\n".join(lines) + "\n")
    save(figure(found), out / "rates.png")
