"""What stands in two parts of a split that must not, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import polars as pl

from hounsfield.audit.results import Audit
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import LeakError

if TYPE_CHECKING:
    from hounsfield.catalog.split import Split

OnLeak = Literal["drop", "stop", "allow"]
RANK = {"train": 0, "val": 1, "test": 2}  # a picture stays in the highest part it is in
SHOWN = 10  # so many are named in a message; all are in the finding


def overlap(catalog: Catalog, split: Split) -> tuple[Finding, ...]:
    """Patients in more than one part or fold, by how they are known, unless the split says so."""
    known = catalog.cases.select("case", "patient_known")
    table = split.table.drop("patient_known", strict=False).join(known, on="case", how="inner")
    findings = []
    for level, column in (("part", "part"), ("fold", "fold")):
        rows = table.drop_nulls(["patient", column]).filter(pl.col("patient_known") != "unknown")
        shared = (
            rows.group_by("patient", maintain_order=True)
            .agg("case", pl.col("patient_known").first(), pl.col(column).n_unique().alias("in"))
            .filter(pl.col("in") > 1)
        )
        sure = shared.filter(pl.col("patient_known") != "guessed")
        guessed = shared.filter(pl.col("patient_known") == "guessed")
        findings += [_sure(sure, level)] if sure.height else []
        findings += [_guessed(guessed, level)] if guessed.height else []
    told = {
        (f.severity, frozenset(group))
        for f in split.findings
        if f.kind == "patient-overlap"
        for group in f.groups
    }
    return tuple(
        f for f in findings if not all((f.severity, frozenset(g)) in told for g in f.groups)
    )


def patients(catalog: Catalog) -> tuple[Finding, ...]:
    """How patients are known, and how many cases each has."""
    findings = []
    counts = dict(catalog.cases.group_by("patient_known").len().sort("patient_known").iter_rows())
    unknown = counts.pop("unknown", 0)
    if unknown:
        findings.append(
            Finding(
                kind="patients-unknown",
                severity="warning",
                text=f"per image, patients unknown: {unknown:,} of {catalog.cases.height:,} cases "
                "do not say whose they are, so two pictures of one person may be in two parts",
                remedy="give a patient column or the data set's published mapping, if there is one",
            )
        )
    if counts:
        named = catalog.cases.filter(pl.col("patient_known") != "unknown")
        each = named.group_by("patient").len()["len"]
        how = ", ".join(f"{count:,} {known}" for known, count in counts.items())
        single = int((each == 1).sum())
        findings.append(
            Finding(
                kind="patients",
                severity="info",
                text=f"{_patients(len(each))} in {named.height:,} cases ({how}); {single:,} with "
                f"one case, the most has {max(each.to_list())}",
            )
        )
    return tuple(findings)


def identities(catalog: Catalog, groups: Iterable[tuple[str, ...]]) -> tuple[Finding, ...]:
    """Identical pictures that are said to be of different patients."""
    sure = catalog.cases.filter(pl.col("patient_known").is_in(["given", "mapped"]))
    whose = dict(sure.select("case", "patient").iter_rows())
    odd = [g for g in groups if len({whose[case] for case in g if case in whose}) > 1]
    if not odd:
        return ()
    return (
        Finding(
            kind="identity-conflict",
            severity="warning",
            text=f"{_groups(len(odd))} of identical pictures under different patients",
            remedy="find out whose they are; until then they count as one",
            groups=tuple(odd),
        ),
    )


def _sure(shared: pl.DataFrame, level: str) -> Finding:
    return Finding(
        kind="patient-overlap",
        severity="stop",
        text=f"{_patients(shared.height)} known by their number in more than one {level}",
        remedy="split by patient (`hounsfield split CATALOG`), or --audit.on-leak allow",
        groups=_tuples(shared["case"].to_list()),
    )


def _guessed(shared: pl.DataFrame, level: str) -> Finding:
    return Finding(
        kind="patient-overlap",
        severity="warning",
        text=f"{_patients(shared.height)} in more than one {level} if file names tell patients, "
        "which is a guess: the scores may be too good",
        remedy="split by patient anew (`hounsfield split CATALOG`) if the names can be trusted",
        groups=_tuples(shared["case"].to_list()),
    )


def crossing(audit: Audit, split: Split) -> tuple[Finding, ...]:
    """Duplicates that stand in more than one part, or in more than one fold of the training."""
    part = _column(split, "part")
    fold = _column(split, "fold")
    findings = []
    kinds = (("exact", audit.exact), ("near", tuple(group.cases for group in audit.near)))
    for kind, groups in kinds:
        over = [g for g in groups if len({part[c] for c in g if part.get(c)}) > 1]
        folds = [g for g in groups if g not in over and len({fold.get(c) for c in g}) > 1]
        text = "{} of " + ("identical pictures" if kind == "exact" else "versions of one picture")
        if over:
            findings.append(
                Finding(
                    kind=f"{kind}-duplicate-leak",
                    severity="warning",
                    text=text.format(_groups(len(over))) + " in more than one part",
                    remedy="by default the training part loses its copies; --audit.on-leak says so",
                    groups=tuple(over),
                )
            )
        if folds:
            findings.append(
                Finding(
                    kind=f"{kind}-duplicate-folds",
                    severity="warning",
                    text=text.format(_groups(len(folds))) + " in more than one fold",
                    remedy="by default each picture stays in one fold only",
                    groups=tuple(folds),
                )
            )
    return tuple(findings)


def apply(
    audit: Audit, split: Split, on_leak: OnLeak = "drop"
) -> tuple[Split, tuple[Finding, ...]]:
    """The split without what leaks, and what was taken out.

    A duplicate stays in the highest of test, val, train (and the first fold) that holds it; its
    other copies leave. `stop` refuses a split with any of them, `allow` changes nothing.

    Raises:
        LeakError: a given or mapped patient is in two parts (not with `allow`), or `stop`.
    """
    if on_leak == "allow":
        return split, ()
    for finding in (*audit.findings, *split.findings):
        torn = _torn(finding, split)
        if finding.kind == "patient-overlap" and finding.severity == "stop" and torn:
            raise _leak(finding.text, torn, finding.remedy)
    lost = leaving(audit, split)
    if not lost:
        return split, ()
    if on_leak == "stop":
        groups = [g for g in audit.duplicates if any(case in lost for case in g)]
        raise _leak(
            f"{_groups(len(groups))} of one picture in more than one part",
            groups,
            "--audit.on-leak drop takes the copies out of the training part",
        )
    kept = split.table.filter(~pl.col("case").is_in(list(lost)))
    return replace(split, table=kept), _dropped(audit, split, lost)


def _torn(finding: Finding, split: Split) -> list[tuple[str, ...]]:
    """The finding's groups that this split still tears apart."""
    home = dict(zip(split.table["case"], split.table.select("part", "fold").rows(), strict=True))
    return [g for g in finding.groups if len({home[case] for case in g if case in home}) > 1]


def leaving(audit: Audit, split: Split) -> tuple[str, ...]:
    """The cases that a split must lose so that no picture is in two parts or folds."""
    part = _column(split, "part")
    fold = _column(split, "fold")
    lost: list[str] = []
    for group in audit.duplicates:
        placed = [case for case in group if part.get(case) in RANK]
        if not placed:
            continue
        top = max(RANK[part[case]] for case in placed)
        home = {fold.get(case) for case in placed[:1]} if top == 0 else set()
        for case in placed:
            elsewhere = top == 0 and fold.get(case) not in home
            if RANK[part[case]] < top or elsewhere:
                lost.append(case)
    return tuple(lost)


def _dropped(audit: Audit, split: Split, lost: tuple[str, ...]) -> tuple[Finding, ...]:
    part = _column(split, "part")
    findings = []
    for name in ("train", "val"):
        gone = [case for case in lost if part[case] == name]
        groups = [g for g in audit.duplicates if any(case in gone for case in g)]
        if gone:
            findings.append(
                Finding(
                    kind="dropped",
                    severity="info",
                    text=f"{len(gone)} {'case' if len(gone) == 1 else 'cases'} left the {name} "
                    "part: copies of pictures that stand elsewhere",
                    remedy="--audit.on-leak allow keeps them",
                    groups=(tuple(gone), *groups),
                )
            )
    return tuple(findings)


def _leak(text: str, groups: Iterable[tuple[str, ...]], remedy: str) -> LeakError:
    listed = list(groups)
    lines = [", ".join(group) for group in listed[:SHOWN]]
    more = len(listed) - SHOWN
    lines += [f"… and {more} more" for _ in range(more > 0)]
    return LeakError(text + ":\n  " + "\n  ".join(lines), remedy=remedy)


def _column(split: Split, name: str) -> dict[str, str]:
    return dict(zip(split.table["case"].to_list(), split.table[name].to_list(), strict=True))


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count:,} patients"


def _groups(count: int) -> str:
    return "1 group" if count == 1 else f"{count:,} groups"


def _tuples(groups: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group) for group in groups)
