"""What a number on merged sources is worth: mixed test, each source unseen, probe of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.errors import UsageError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.arms import train_arms
from hounsfield.workflow.data import Data, audit, beside_run, catalog_of, listed
from hounsfield.workflow.measuring import compare
from hounsfield.workflow.probing import probe

if TYPE_CHECKING:
    from hounsfield.catalog import Catalog
    from hounsfield.catalog.sources import Cohort
    from hounsfield.catalog.split import Split
    from hounsfield.evaluation.compare import Difference
    from hounsfield.evaluation.sources import SourceStudy, Unseen
    from hounsfield.run import Run

MIXED = "mixed"
SHARES = {"train": 0.5, "val": 0.2, "test": 0.3}  # a small study needs a test that says something
OWN = ("data.train", "data.val", "data.test", "data.seed", "data.label_map")


class LeaveOut(BaseModel):
    """Which cases are studied, and what counts as their source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field("source", description="the column of cases or images that names the source")
    per_class: int = Field(
        0, ge=0, description="cases of each class, drawn evenly from its sources; 0: all"
    )
    keep: dict[str, str] = Field(
        default_factory=dict,
        description="column=VALUE,VALUE: keep only cases with these; one without a value stays",
    )
    seed: int = Field(0, ge=0, description="of the drawing")


def leave_out(
    data: Data | Sequence[Data],
    asked: Mapping[str, Any] | None = None,
    *,
    out: Data = "leave-out",
    settings: LeaveOut | None = None,
    watch: Watch = SILENT,
) -> SourceStudy:
    """Train on merged sources, then with each source left out; probe what tells the source.

    `data` are folders or one catalog. Writes OUT/leave_out.json and OUT/leave_out.html beside
    the runs OUT/mixed, OUT/without-SOURCE; what was done is kept when it is called again.

    Raises:
        UsageError: not one class a case, or folds or parts are asked for that it makes itself.
        InputError: one source or one class only.
    """
    from hounsfield.catalog.sources import cohort
    from hounsfield.evaluation.sources import SourceStudy

    out, settings = Path(out), settings or LeaveOut()
    checked = _checked(asked or {})
    label_map = checked.get("data.label_map")
    folders = listed(data)
    whole = catalog_of(folders, beside_run(out), watch, label_map=label_map and Path(label_map))
    study = _study_catalog(whole, checked, settings, out)
    with watch.stage("audit"):
        found = audit(study, near=checked.get("audit.near", "auto"), watch=watch)
    chosen = cohort(study, *_truths(study, checked), settings.by, found.duplicates)
    runs = _train(study, checked, chosen, (out, watch))
    with watch.stage("probe"):
        probes, blanked = probe(runs[MIXED], study, chosen, settings.seed)
    made = SourceStudy(
        by=settings.by,
        classes=chosen.classes,
        counts=chosen.counts,
        cramers_v=_association(chosen),
        mixed=_evaluation(runs[MIXED]),
        trained=len(runs[MIXED].split.fold(0)[0]),
        unseen=tuple(
            _unseen(source, runs[MIXED], runs[name], chosen)
            for source, name in _names(chosen).items()
        ),
        impossible=chosen.impossible,
        probes=probes,
        blanked=blanked,
        notes=(*_notes(whole, study, settings), *chosen.notes),
    )
    return _told(made, out)


def _told(made: SourceStudy, out: Path) -> SourceStudy:
    """The study with its verdict, on disk and as a page."""
    from hounsfield.evaluation.verdict import verdict
    from hounsfield.reports.sources import write

    judged = made.model_copy(update={"findings": verdict(made)})
    judged.save(out)
    write(judged, out)
    return judged


def _checked(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of every arm's plan.

    Raises:
        UsageError: something that only the study itself may decide.
    """
    from hounsfield.plan.asked import from_paths
    from hounsfield.plan.check import check_asked

    checked = from_paths(asked)
    check_asked(checked)
    refused = [name for name in checked if name.startswith("data.") and name not in OWN]
    if int(checked.get("training.folds", 1)) > 1:
        refused.append("training.folds")
    if refused:
        raise UsageError(
            f"{', '.join(refused)} cannot be asked for here",
            expected=f"of the data, {', '.join(OWN)}",
            remedy="the study makes its own splits: one mixed, and one for each source",
        )
    return checked


def _study_catalog(whole: Catalog, asked: dict[str, Any], settings: LeaveOut, out: Path) -> Catalog:
    """The labelled cases that are studied, as a catalog beside the study's folder."""
    from hounsfield.catalog.sources import drawn, kept
    from hounsfield.catalog.subset import save_subset
    from hounsfield.plan.split import labelled

    task, task_settings, usable = labelled(kept(whole, settings.keep), asked)
    one_class = task.kind_of_outputs(task_settings) == "classes"
    if not (one_class and task.output_names(task_settings)):
        raise UsageError(
            "leaving sources out needs one class a case",
            remedy="choose the annotation with --task.target",
        )
    labels = task.strata(usable, task_settings)
    cases = drawn(usable, labels, settings.by, settings.per_class, settings.seed)
    return save_subset(usable, cases, out.with_name(f"{out.name}.study"))


def _truths(study: Catalog, asked: dict[str, Any]) -> tuple[list[str], tuple[str, ...]]:
    """The class of each case, and the classes in the order of the outputs."""
    from hounsfield.plan.split import labelled

    task, settings, usable = labelled(study, asked)
    return task.strata(usable, settings), task.output_names(settings)


def _train(
    study: Catalog, asked: dict[str, Any], chosen: Cohort, where: tuple[Path, Watch]
) -> dict[str, Run]:
    """The mixed run, and one without each source, of one plan; each takes its own split."""
    from hounsfield.catalog.split import SplitSettings

    watch = where[1]
    shares = {part: asked.get(f"data.{part}", share) for part, share in SHARES.items()}
    settings = SplitSettings(**shares, use_official=False, seed=int(asked.get("data.seed", 0)))
    splits = {MIXED: chosen.mixed(study, settings)}
    splits |= {name: chosen.without(study, s, settings) for s, name in _names(chosen).items()}
    plan = {name: value for name, value in asked.items() if name not in OWN}
    runs: dict[str, Run] = {}
    for number, (name, split) in enumerate(splits.items(), start=1):
        watch.say(f"{name} ({number} of {len(splits)})")
        runs |= _arm(study, plan, {name: split}, where)
    return runs


def _arm(
    study: Catalog, plan: dict[str, Any], named: dict[str, Split], where: tuple[Path, Watch]
) -> dict[str, Run]:
    """One run. The plan takes the split that lies in the catalog when it begins."""
    assert study.folder is not None
    out, watch = where
    ((name, split),) = named.items()
    split.save(study.folder)
    return train_arms(study.folder, {name: plan}, out, watch=_Quiet(watch))


class _Quiet:
    """Of an arm, its stages and nothing else: what its data are like has been said."""

    def __init__(self, watch: Watch) -> None:
        self.stage, self.tell = watch.stage, watch.tell

    def say(self, sentence: str) -> None:
        pass


def _names(chosen: Cohort) -> dict[str, str]:
    """Source -> its run's folder."""
    plain = {
        source: "".join(c if c.isalnum() or c in "-_." else "-" for c in source)
        for source in chosen.possible
    }
    taken = list(plain.values())
    return {
        source: f"without-{word}" if taken.count(word) == 1 else f"without-{number}-{word}"
        for number, (source, word) in enumerate(plain.items())
    }


def _evaluation(run: Run) -> Any:
    from hounsfield.evaluation.record import Evaluation

    return Evaluation.load(run.evaluation("test"))


def _unseen(source: str, mixed: Run, run: Run, chosen: Cohort) -> Unseen:
    """One source's measurements, and how far they fall from the mixed test."""
    from hounsfield.evaluation.compare import fall
    from hounsfield.evaluation.sources import Unseen

    inside, outside = _evaluation(mixed), _evaluation(run)
    tested = {name: chosen.counts[name].get(source, 0) for name in chosen.classes}
    present = [name for name, count in tested.items() if count]
    metric, of = (inside.headline, None) if len(present) == len(tested) else ("recall", present[0])
    of = None if of == chosen.classes[-1] and len(chosen.classes) == 2 else of
    ends = [
        next(e for e in one.estimates if (e.metric, e.class_name, e.group) == (metric, of, "all"))
        for one in (inside, outside)
    ]
    return Unseen(
        source=source,
        run=run.path.name,
        tested=tested,
        trained=len(run.split.fold(0)[0]),
        estimates=tuple(e for e in outside.estimates if e.group == "all"),
        fall=fall(*ends),
        paired=_paired(mixed, run, (metric, of)),
    )


def _paired(mixed: Run, run: Run, what: tuple[str, str | None]) -> Difference | None:
    """Mixed minus unseen on the pictures of the source that stand in the mixed test part."""
    common = set(mixed.split.cases("test")) & set(run.split.cases("test"))
    if not common:
        return None
    found = compare([mixed.path, run.path])
    mine = (one for one in found if (one.metric, one.class_name) == what)
    return next((one for one in mine if one.cases and one.method != "none"), None)


def _association(chosen: Cohort) -> float | None:
    from hounsfield.audit.balance import cramers_v

    return cramers_v(chosen.counts)


def _notes(whole: Catalog, study: Catalog, settings: LeaveOut) -> list[str]:
    """How the cases were chosen."""
    left = whole.cases.height - study.cases.height
    if not left:
        return []
    how = [f"{column} is {values}" for column, values in settings.keep.items()]
    if settings.per_class:
        how.append(f"{settings.per_class} of each class")
    why = f" ({'; '.join(how)})" if how else ""
    return [f"{study.cases.height:,} of {whole.cases.height:,} cases are studied{why}."]
