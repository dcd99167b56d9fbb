"""hounsfield predict RUN|BUNDLE PATH…"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def predict(
    run: Path,
    /,
    *paths: Path,
    out: Path = Path("predictions"),
    keep_ids: bool = False,
    precision: Literal["fp32", "int8"] | None = None,
) -> None:
    """Predict files, folders or a catalog with a trained run, or with a bundle made from one.

    Writes predictions.csv (calibrated probabilities, one row a case; images unlike the training
    data are marked) and submission.csv (id, label).

    Parameters
    ----------
    run
        The run's folder, or the bundle's (`hounsfield export`).
    paths
        Images to predict.
    out
        The folder to write to.
    keep_ids
        Keep true file names in the tables.
    precision
        Of a bundle with 8 bits, which computes in the fastest that passed: fp32 is the run's own.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal(times=False)
    found = workflow.predict(run, paths, out, keep_ids=keep_ids, precision=precision, watch=watch)
    watch.say(str(found))
