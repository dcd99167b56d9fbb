"""hounsfield vectorise DATA OUT"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

MOST_TOLD = 5


def vectorise(
    data: str,
    out: Path,
    /,
    *,
    features: Literal["pixels", "patches", "histogram"] = "pixels",
    size: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    bins: int = 64,
    range: tuple[float, float] | None = None,
    keep_ids: bool = False,
    overwrite: bool = False,
) -> None:
    """Turn images into a matrix of features for scikit-learn: a row an image, or a patch.

    The file has X (rows by features) and, for each row, id, patient, source, part and label.
    Values are the physical ones; scale them in your own pipeline.

    Parameters
    ----------
    data
        A folder, a table, a catalog, or `dataset:digits`.
    out
        The file to write: .npz or .parquet.
    features
        All pixels, patches of every slice, or the histogram of the brightness.
    size
        Height and width that pixels are resized to, or of a patch (16 16 if not given).
    stride
        Pixels down and right from one patch to the next; the size if not given.
    bins
        Of the histogram.
    range
        The least and greatest value of the histogram; bytes and HU have their own.
    keep_ids
        Keep true names and numbers of patients and files.
    overwrite
        Replace what exists.
    """
    from hounsfield.cli.console import Terminal
    from hounsfield.preprocessing.vectorise import Features, Histogram, Patches, Pixels
    from hounsfield.workflow.vectorising import vectorise as run

    how: Features = Pixels(size)
    if features == "patches":
        how = Patches(size or Patches.size, stride)
    elif features == "histogram":
        how = Histogram(bins, range)
    terminal = Terminal()
    made = run(data, out, how, keep_ids=keep_ids, overwrite=overwrite, watch=terminal)
    for case, reason in made.aside[:MOST_TOLD]:
        terminal.say(f"set aside: {case}: {reason}")
    if len(made.aside) > MOST_TOLD:
        terminal.say(f"and {len(made.aside) - MOST_TOLD:,} more set aside")
    terminal.say(f"{made.rows:,} rows of {made.columns:,} features")
    terminal.say(str(made.path))
