"""hounsfield predict RUN PATH…"""

from __future__ import annotations

from pathlib import Path


def predict(
    run: Path, /, *paths: Path, out: Path = Path("predictions"), keep_ids: bool = False
) -> None:
    """Predict files, folders or a catalog with a trained run.

    Writes predictions.csv (calibrated probabilities, one row a case; images unlike the training
    data are marked) and submission.csv (id, label).

    Parameters
    ----------
    run
        The run's folder.
    paths
        Images to predict.
    out
        The folder to write to.
    keep_ids
        Keep true file names in the tables.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.errors import UsageError

    if not paths:
        raise UsageError("nothing to predict", expected="files, folders or a catalog after RUN")
    watch = Terminal(times=False)
    watch.say(str(workflow.predict(run, paths, out, keep_ids=keep_ids, watch=watch)))
