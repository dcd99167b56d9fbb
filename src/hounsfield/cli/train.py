"""hounsfield train DATA"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, apart, asked


def train(
    data: str | None = None,
    /,
    *,
    out: Path = Path("run"),
    plan: Path | None = None,
    task: str | None = None,
    folds: int | None = None,
    seeds: int | None = None,
    table: str | None = None,
    resume: Path | None = None,
    overwrite: bool = False,
    keep_ids: bool = False,
    flags: Flags = None,
) -> None:
    """Train on DATA and report how good the model is, and how sure that is.

    Everything that is not asked for is chosen from the data and this machine, and written with
    its reason into RUN/plan.resolved.yaml.

    Parameters
    ----------
    data
        A folder of images, an .npz or .csv file, a catalog, or dataset:digits.
    out
        The run's folder.
    plan
        A plan.yaml with values that are asked for.
    task
        classification, segmentation or detection, where the annotations allow several.
    folds
        Cross-validation with this many folds.
    seeds
        Networks a fold, ensembled.
    table
        Columns that join the image's features, e.g. age,sex; the report says what each adds.
    resume
        Go on with this run, which was stopped.
    overwrite
        Replace a run that is in the way.
    keep_ids
        Keep true names and numbers of patients and files in tables and predictions.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.results import show_run
    from hounsfield.errors import UsageError

    watch = Terminal()
    short = {"task.name": task, "training.folds": folds, "training.seeds": seeds}
    values = asked(flags, plan, short | {"model.table": None if table is None else apart((table,))})
    if resume is not None:
        if data is not None or values:
            raise UsageError(
                "a run goes on with its own data and plan",
                expected="--resume RUN alone",
                remedy="for another plan, train anew with another --out",
            )
        show_run(workflow.resume(resume, watch=watch), watch.out)
        return
    if not data:
        raise UsageError(
            "nothing to train on",
            expected="DATA, or --resume RUN",
            remedy="hounsfield train --help",
        )
    run = workflow.train(data, values, out=out, overwrite=overwrite, keep_ids=keep_ids, watch=watch)
    show_run(run, watch.out)
