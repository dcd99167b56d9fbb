"""Is an evaluation part like the training part? A probe tries to tell them apart.

What is chosen on a validation part holds for a test part that is like it. Where the test part
can be told from the training part, and the validation part cannot, validation promises too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.evaluation.sources import Probe
    from hounsfield.run import Run

TIMES = 4  # as many training pictures as of the other part, at most: they weigh the same
MOST = 2000  # pictures of the other part


def parts_alike(run: Run) -> dict[str, tuple[Probe, ...]]:
    """How well "val" and "test" are told from "train" by coarse grey values, class by class."""
    import numpy as np

    from hounsfield.audit.source_probe import Probed, probe_looks, whole
    from hounsfield.tasks.contract import codes
    from hounsfield.workflow.probing import small_pictures
    from hounsfield.workflow.training import study_of

    study = study_of(run)
    train, val = run.split.fold(0)
    patients = dict(study.catalog.cases.select("case", "patient").rows())
    found: dict[str, tuple[Probe, ...]] = {}
    for name, part in (("val", val), ("test", run.split.cases("test"))):
        other = _some(part, MOST)
        first = _some(train, TIMES * len(other))
        cases = [*first, *other]
        probed = Probed(
            small_pictures(study, cases),
            np.array(study.strata(cases)),
            np.array(["train"] * len(first) + [name] * len(other)),
            codes([patients[case] for case in cases]),
        )
        found[name] = probe_looks(probed, {"whole": whole()})
    return found


def _some(cases: list[str], most: int) -> list[str]:
    """At most so many, evenly from all."""
    step = max(1, -(-len(cases) // most))
    return cases[::step]
