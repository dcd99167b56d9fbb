"""hounsfield featurize DATA --network NAME --out features.parquet"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, asked


def featurize(
    data: str | None = None,
    /,
    *,
    out: Path = Path("features.parquet"),
    network: str = "",
    run: Path | None = None,
    layer: str = "",
    weights: str = "",
    baselines: bool = False,
    keep_ids: bool = False,
    overwrite: bool = False,
    flags: Flags = None,
) -> None:
    """Turn images into features of a network's layer: a Parquet file, a row an image.

    Columns: id, patient, label, split, f0000… Features are averaged over places of the picture
    and, for a 2-D network, over the slices of a volume. What is in memory does not grow with
    the number of images.

    Parameters
    ----------
    data
        A folder of images, a file, a catalog, or dataset:digits. With --run: its own, if not given.
    out
        The file to write.
    network
        cnn, a timm name such as resnet50, or package.module:build; with --weights.
    run
        A finished run's first network, with the run's own preprocessing.
    layer
        A layer by its name, e.g. layer3; what the classifier gets, if not given.
    weights
        Pretrained weights: FILE or hub.
    baselines
        Also fit logistic regression, nearest neighbours and boosted trees on the training part,
        and measure them on the test part with intervals.
    keep_ids
        Keep true names and numbers of patients and files.
    overwrite
        Replace what exists.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.reports.table import estimates_table, notes

    terminal = Terminal()
    wanted = asked(flags, None, {})
    how = workflow.Backbone(network, run, layer, weights, wanted, keep_ids)
    made = workflow.featurize(
        data, out, how, baselines=baselines, overwrite=overwrite, watch=terminal
    )
    for one in made.baselines:
        terminal.out.print(estimates_table(one.evaluation))
    said = dict.fromkeys(note for one in made.baselines for note in notes(one.evaluation))
    for note in said:
        terminal.say(note)
    terminal.say(f"{made.rows:,} rows of {made.columns:,} features")
    terminal.say(str(made.path))
