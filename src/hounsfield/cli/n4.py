"""hounsfield n4 IN OUT"""

from __future__ import annotations

from pathlib import Path


def n4(
    source: Path,
    target: Path,
    /,
    *,
    mask: Path | None = None,
    shrink: int = 4,
    levels: int = 4,
    iterations: int = 50,
    figure: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Divide an MR volume by its bias field (N4), on its own grid.

    Parameters
    ----------
    source
        The MR volume, any readable format.
    target
        The file to write, e.g. corrected.nii.gz. Its values are floating-point numbers.
    mask
        An image on the same grid that is not 0 inside of the body; else Otsu's threshold.
    shrink
        The field is fitted on a grid this much coarser; 1 is slow and rarely better.
    levels
        How often the mesh of the field is made twice as fine, the first one counted.
    iterations
        The most in each level.
    figure
        Draw before, field and after as a PNG.
    overwrite
        Replace what exists.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.preprocessing.mr.bias_field import N4

    terminal = Terminal(times=False)
    how = N4(shrink, (iterations,) * levels)
    with terminal.stage("n4"):
        terminal.tell("fitting the field", 0, None)
        found = workflow.n4(source, target, how, mask=mask, figure=figure, overwrite=overwrite)
    for channel, (before, after) in enumerate(zip(found.cv_before, found.cv_after, strict=True)):
        which = f", channel {channel}" if len(found.cv_before) > 1 else ""
        terminal.say(f"coefficient of variation{which}: {before:.4f} -> {after:.4f}")
    for path in filter(None, (target, figure)):
        terminal.say(str(path))
