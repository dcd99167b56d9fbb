"""hounsfield find-rate DATA"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, asked


def find_rate(
    data: str,
    /,
    *,
    out: Path = Path("rates"),
    plan: Path | None = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    flags: Flags = None,
) -> None:
    """Find the learning rate for DATA: train while it grows, and see where the loss falls fastest.

    Nothing of the trained network is kept. The curve is drawn in OUT/rates.png, its numbers are
    in OUT/rates.csv.

    Parameters
    ----------
    data
        A folder of images, an .npz or .csv file, a catalog, or dataset:digits.
    out
        The folder for the curve; a catalog that is made of DATA stays in it.
    plan
        A plan.yaml with values that are asked for.
    lowest
        The rate of the first step.
    highest
        The rate of the last step, unless the loss bursts before it.
    steps
        Batches to train on.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal()
    found = workflow.find_rate(
        data,
        asked(flags, plan, {}),
        out=out,
        between=(lowest, highest),
        steps=steps,
        watch=watch,
    )
    if found.suggested is None:
        watch.say(f"no rate is suggested: {found.reason}")
    else:
        watch.say(f"--training.learning-rate {found.suggested:g}: {found.reason}")
    watch.say(str(out / "rates.png"))
