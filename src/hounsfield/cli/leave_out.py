"""hounsfield leave-out DATA…"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, asked


def leave_out(
    *data: str,
    out: Path = Path("leave-out"),
    by: str = "source",
    per_class: int = 0,
    keep: dict[str, str] | None = None,
    seed: int = 0,
    plan: Path | None = None,
    flags: Flags = None,
) -> None:
    """Say what a number on merged sources is worth.

    Trains on all sources mixed, as such studies are published; then with each source left out,
    tested on it; then asks whether the source can be told where no disease is to be seen.

    Parameters
    ----------
    data
        Folders of images, each a source, or one catalog.
    out
        The folder for the runs, leave_out.json and leave_out.html.
    by
        The column of cases or images that names the source.
    per_class
        Cases of each class, drawn evenly from its sources; 0: all.
    keep
        Keep only cases with these values: --keep.view PA,AP; those without any stay.
    seed
        Of the drawing of cases.
    plan
        A plan.yaml with values that are asked for.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.failures import checked
    from hounsfield.cli.index import print_findings
    from hounsfield.errors import UsageError
    from hounsfield.reports.sources import PAGE, print_study

    if not data:
        raise UsageError("nothing to study", remedy="hounsfield leave-out FOLDER FOLDER --out OUT")
    watch = Terminal()
    settings = checked(workflow.LeaveOut, by=by, per_class=per_class, keep=keep or {}, seed=seed)
    found = workflow.leave_out(
        list(data), asked(flags, plan, {}), out=out, settings=settings, watch=watch
    )
    print_study(found, watch.out)
    print_findings(found.findings, watch.out)
    watch.out.print(str(out / PAGE), markup=False, highlight=False)
