"""hounsfield demo"""

from __future__ import annotations

from pathlib import Path


def demo(out: Path = Path("demo"), /, *, patients: int = 300, seed: int = 0) -> None:
    """The whole way on simulated chest radiographs: from DICOM files to a report.

    Simulates patients of three scanners, then indexes, splits, audits, plans, trains, evaluates
    and reports, as on a folder of your own. Minutes on a laptop.

    Parameters
    ----------
    out
        The folder for data and run; an older demo in it is replaced.
    patients
        How many to simulate; a third of them are for the test.
    seed
        Of patients, split and training.
    """
    from hounsfield import workflow
    from hounsfield.catalog.phantoms.chest_xray import Settings
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.failures import checked
    from hounsfield.cli.results import show_run

    checked(Settings, patients=patients, seed=seed)
    watch = Terminal()
    run = workflow.demo(out, patients=patients, seed=seed, watch=watch)
    watch.say(f"{'total':<10} {sum(watch.seconds.values()):6.1f} s")
    show_run(run, watch.out)
