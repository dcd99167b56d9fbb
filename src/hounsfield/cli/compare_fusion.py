"""hounsfield compare-fusion DATA"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, asked


def compare_fusion(
    data: str,
    /,
    *,
    out: Path = Path("fusion"),
    budget: float | None = None,
    arms: str | None = None,
    weights: str = "",
    plan: Path | None = None,
    flags: Flags = None,
) -> None:
    """Train every way of joining a volume's slices on one split and budget, and compare them.

    OUT holds a run and a CSV for each, and comparison.csv and comparison.html. What is finished
    is kept: the same command goes on where it was stopped.

    Parameters
    ----------
    data
        A folder of labelled volumes, or a catalog.
    out
        The folder of the comparison.
    budget
        Minutes of training that all networks may take together, shared evenly.
    arms
        Some of single,three-channel,early,late,late-each,attention,3D,resnet50; the first is
        what the others are compared with.
    weights
        Pretrained weights of the arm resnet50: FILE or hub.
    plan
        A plan.yaml with values that are asked for, by all arms.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.reports.fusion import print_study
    from hounsfield.workflow.fusion import ARMS, Wanted

    watch = Terminal()
    names = tuple(ARMS) if arms is None else tuple(one.strip() for one in arms.split(","))
    study = workflow.compare_fusion(
        data,
        asked(flags, plan, {}),
        out=out,
        wanted=Wanted(names, budget, weights),
        watch=watch,
    )
    print_study(study, watch.out)
    watch.out.print(str(out / "comparison.html"), markup=False, highlight=False)
