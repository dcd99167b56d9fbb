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
        The field is fitted on a grid this much coarser, as far as 8 voxels are left along an
        axis; 1 is slow and rarely better.
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
    for channel in found.worse:
        which = f" of channel {channel}" if len(found.cv_before) > 1 else ""
        terminal.say(
            f"Note: the field did not make the tissue{which} more even: look at it (--figure), "
            "give a mask of the body (--mask), or keep the image as it is"
        )
    for path in filter(None, (target, figure)):
        terminal.say(str(path))
