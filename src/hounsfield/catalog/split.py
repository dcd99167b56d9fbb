"""The split: which cases train, choose and test; by patient, and proven so.

Patients that share a verified duplicate, or a value of another group column, stay together.
A data set's own (official) parts are kept where it has them.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hounsfield.catalog.deal import Counts, connected, deal, strata
from hounsfield.catalog.findings import FINDINGS, Finding, counted
from hounsfield.catalog.official import overlap, own_shares
from hounsfield.catalog.tables import CASES, IMAGES, Catalog, Part, write_whole
from hounsfield.errors import InputError, LeakError, UsageError

PARTS: tuple[Part, ...] = ("train", "val", "test")
SPLIT_FILE = "split.parquet"
# Columns by which cases may be grouped, besides the data set's own
GROUPS = (
    *("patient", "source", "study", "series", "manufacturer", "model", "modality", "view", "sex"),
    "body_part",
)
MOST_NAMED = 10


class SplitSettings(BaseModel):
    """How cases are shared out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: float = Field(0.70, ge=0, le=1, description="share of cases that train")
    val: float = Field(0.15, ge=0, le=1, description="share for every choice before the test")
    test: float = Field(0.15, ge=0, le=1, description="share touched once, at the end")
    folds: int = Field(1, ge=1, description="cross-validation folds over all but the test part")
    use_official: bool = Field(True, description="keep the data set's own parts")
    group: str = Field("patient", description="column whose values stay together, with patients")
    seed: int = Field(0, ge=0)
    min_per_class: int = Field(
        50, ge=0, description="an official validation part with fewer cases of a class is refilled"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        whole = self.train + self.val + self.test
        if abs(whole - 1) > 1e-6 or self.train == 0:
            raise UsageError(
                f"train + val + test is {whole:g}, and train {self.train:g}",
                expected="1 in all, and train more than 0",
                remedy="give all three, e.g. 0.7, 0.15 and 0.15",
            )
        return self


@dataclass(frozen=True, eq=False)
class Split:
    """The part of each case. `table` has the columns case, patient, part and fold.

    With folds, all cases outside the test part have part "train" and a fold from 0.
    """

    table: pl.DataFrame
    findings: tuple[Finding, ...] = ()

    def cases(self, part: Part) -> list[str]:
        """The cases of one part, in the catalog's order."""
        return self.table.filter(pl.col("part") == part)["case"].to_list()

    @property
    def folds(self) -> int:
        """The number of folds; 1 where there is one validation part instead."""
        top = self.table["fold"].max()
        return 1 if top is None else int(str(top)) + 1

    def fold(self, k: int) -> tuple[list[str], list[str]]:
        """Training and validation cases of one fold."""
        if not 0 <= k < self.folds:
            raise UsageError(f"no fold {k}", expected=f"0 to {self.folds - 1}")
        if self.folds == 1:
            return self.cases("train"), self.cases("val")
        rest = self.table.filter(pl.col("fold").is_not_null())
        mine = pl.col("fold") == k
        return rest.filter(~mine)["case"].to_list(), rest.filter(mine)["case"].to_list()

    def save(self, folder: str | Path) -> None:
        """Write `split.parquet` with the findings in it, whole or not at all."""
        said = json.dumps([finding.model_dump() for finding in self.findings])
        write_whole(self.table, Path(folder) / SPLIT_FILE, {"findings": said})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The split in a folder.

        Raises:
            InputError: there is none, or it is damaged.
        """
        path = Path(folder) / SPLIT_FILE
        if not path.is_file():
            raise InputError(
                "there is no split", file=path, remedy="`hounsfield split CATALOG` makes one"
            )
        try:
            said = FINDINGS.validate_json(pl.read_parquet_metadata(path).get("findings", "[]"))
            return cls(pl.read_parquet(path).select("case", "patient", "part", "fold"), said)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise InputError(
                "the split cannot be read",
                file=path,
                remedy="`hounsfield split CATALOG` makes it again",
            ) from error


def split(
    catalog: Catalog,
    labels: pl.Series | None,
    settings: SplitSettings | None = None,
    groups: Sequence[Sequence[str]] = (),
) -> Split:
    """Share the catalog's cases out to training, validation and test, or to folds.

    `labels` holds one class a case, in the catalog's order (null where unknown), or is None for
    a task without classes. `groups` are cases that must stay together besides each patient's,
    e.g. verified duplicates. Official overlap of given or mapped patients is a finding with
    severity "stop"; the caller decides.

    Raises:
        InputError: no labels, one class, one patient, or too few of them for the parts.
    """
    settings = settings or SplitSettings()
    work = _Work.of(catalog, labels, settings, groups)
    _check(catalog, labels, work, settings)
    findings = overlap(catalog) if settings.use_official else []
    _deal_open(work, settings, _official(work, settings, findings))
    folds: list[int | None] = [None] * len(work.parts)
    if settings.folds > 1:
        folds = _folds(work, settings)
        work.parts = ["test" if part == "test" else "train" for part in work.parts]
    table = catalog.cases.select("case", "patient").with_columns(
        pl.Series("part", work.parts, dtype=pl.String), pl.Series("fold", folds, dtype=pl.Int32)
    )
    findings += _absent(work, table, settings)
    _prove(work, table)
    if settings.group != "patient":
        findings += _torn(catalog, settings.group, table)
    return Split(table, tuple(findings))


@dataclass(eq=False)
class _Work:
    """Rows and groups while they are dealt; `parts` is filled step by step."""

    labels: list[str | None]
    sources: list[str | None]
    official: list[Part | None]
    groups: list[list[int]]
    parts: list[Part]
    torn: set[int] = field(default_factory=set)  # groups that official parts tear apart

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        labels: pl.Series | None,
        settings: SplitSettings,
        groups: Sequence[Sequence[str]],
    ) -> _Work:
        rows = catalog.cases.height
        none: list[Any] = [None] * rows
        if labels is not None and len(labels) != rows:
            raise UsageError(f"{len(labels)} labels for {rows} cases", expected="one a case")
        links = [*_alike(catalog.cases["patient"].to_list())]
        if settings.group != "patient":
            links += _alike(_column(catalog, settings.group))
        row_of = {case: row for row, case in enumerate(catalog.cases["case"])}
        links += [[row_of[case] for case in group if case in row_of] for group in groups]
        return cls(
            none if labels is None else labels.cast(pl.String).to_list(),
            catalog.cases["source"].to_list(),
            catalog.cases["part"].to_list() if settings.use_official else none,
            connected(rows, links),
            ["train"] * rows,
        )

    def counts(self, rows: Iterable[int]) -> Counts:
        return Counter(s for row in rows for s in strata(self.labels[row], self.sources[row]))

    def place(self, rows: Iterable[int], part: Part) -> None:
        for row in rows:
            self.parts[row] = part


def _alike(values: Sequence[object]) -> list[list[int]]:
    """Rows with one value; null is alike to nothing."""
    rows: dict[object, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        if value is not None:
            rows[value].append(row)
    return list(rows.values())


def _column(catalog: Catalog, name: str) -> list[object]:
    """A group column of the cases, or of the image that each case begins with."""
    if name in catalog.cases.columns:
        return catalog.cases[name].to_list()
    if name not in catalog.images.columns:
        own = [column for column in catalog.cases.columns if column not in (*CASES, *IMAGES)]
        known = (*own, *GROUPS)
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no column {name!r} to group by",
            expected=f"one of {', '.join(known[:MOST_NAMED])}{', …' * (len(known) > MOST_NAMED)}",
            remedy=f"did you mean {near[0]!r}?"
            if near
            else "choose one of these columns, or give the data set's table one more",
        )
    first = catalog.cases.select(pl.col("inputs").list.first().struct.field("image"))
    found = first.join(catalog.images, on="image", how="left", maintain_order="left")
    return found[name].to_list()


def _check(
    catalog: Catalog, labels: pl.Series | None, work: _Work, settings: SplitSettings
) -> None:
    """Refuse what no split can serve, with the sentence that helps."""
    if catalog.cases.is_empty():
        raise InputError("the catalog has no cases", file=catalog.folder, remedy="index a folder")
    if labels is not None and labels.null_count() == len(labels):
        raise InputError(
            "no case has a label",
            file=catalog.folder,
            expected="a class for each case",
            remedy="put the images into one folder a class, or give a CSV with a label column",
        )
    if labels is not None and labels.drop_nulls().n_unique() == 1:
        raise InputError(
            f"all cases have the same label ({labels.drop_nulls()[0]!r})",
            file=catalog.folder,
            expected="two or more classes",
            remedy="index the other class too, or check the label column",
        )
    count = catalog.cases.height
    wanted = sum(share > 0 for share in (settings.train, settings.val, settings.test))
    wanted = max(wanted, settings.folds + (settings.test > 0) if settings.folds > 1 else 0)
    if len(work.groups) < wanted and not any(work.official):
        known = "one patient" if len(work.groups) == 1 else f"{len(work.groups)} patients"
        raise InputError(
            f"{counted(count, 'case')} {'comes' if count == 1 else 'come'} from {known} only",
            file=catalog.folder,
            expected=f"at least {wanted} patients, so that no patient is in two parts",
            remedy="add patients, ask for fewer parts or folds, or check the patient column",
        )


def _official(
    work: _Work, settings: SplitSettings, findings: list[Finding]
) -> dict[int, tuple[float, ...]]:
    """Place what the official parts fix; return the open groups with their shares of parts."""
    cases: dict[str | None, list[tuple[str | None, Part | None]]] = defaultdict(list)
    for row, source in enumerate(work.sources):
        cases[source].append((work.labels[row], work.official[row]))
    shares = {name: own_shares(own, name, settings, findings) for name, own in cases.items()}
    opened: dict[int, tuple[float, ...]] = {}
    for index, rows in enumerate(work.groups):
        fixed = {work.official[row] for row in rows} - {None}
        own = shares[work.sources[rows[0]]]
        movable = fixed <= {"train"} and (not fixed or own[1:] != (0.0, 0.0))
        if movable:
            opened[index] = own
            continue
        if len(fixed) > 1:
            work.torn.add(index)
        # A case without an official part follows its group, to the test part before the others.
        home = next(part for part in reversed(PARTS) if part in fixed)
        for row in rows:
            work.place([row], work.official[row] or home)
    return opened


def _deal_open(work: _Work, settings: SplitSettings, opened: dict[int, tuple[float, ...]]) -> None:
    """Deal the groups that no official part fixes, each source by its own shares."""
    rng = np.random.default_rng(settings.seed)
    for shares in dict.fromkeys(opened.values()):
        mine = [index for index, own in opened.items() if own == shares]
        sources = {work.sources[row] for index in mine for row in work.groups[index]}
        free = {row for index in mine for row in work.groups[index]}
        begun = [
            work.counts(
                row
                for row, part in enumerate(work.parts)
                if share > 0
                and part == name
                and row not in free
                and work.official[row] is not None
                and work.sources[row] in sources
            )
            for name, share in zip(PARTS, shares, strict=True)
        ]
        chosen = deal([work.counts(work.groups[index]) for index in mine], shares, rng, begun)
        for index, part in zip(mine, chosen, strict=True):
            work.place(work.groups[index], PARTS[part])


def _folds(work: _Work, settings: SplitSettings) -> list[int | None]:
    """The fold of each case outside the test part."""
    rest = [[row for row in rows if work.parts[row] != "test"] for rows in work.groups]
    rest = [rows for rows in rest if rows]
    rng = np.random.default_rng([settings.seed, 1])
    chosen = deal([work.counts(rows) for rows in rest], [1.0] * settings.folds, rng)
    folds: list[int | None] = [None] * len(work.parts)
    for rows, fold in zip(rest, chosen, strict=True):
        for row in rows:
            folds[row] = fold
    return folds


def _absent(work: _Work, table: pl.DataFrame, settings: SplitSettings) -> list[Finding]:
    """Classes that a part or fold lacks, or that validation has too few of."""
    classes = [label for label in dict.fromkeys(work.labels) if label is not None]
    wanted = {"train": settings.train, "val": settings.val, "test": settings.test}
    held: dict[str, Counter[str | None]] = {}
    if settings.folds > 1:
        wanted["val"] = 0.0
        held = {f"fold {fold}": Counter() for fold in range(settings.folds)}
    held |= {part: Counter() for part, share in wanted.items() if share > 0}
    for label, part, fold in zip(work.labels, table["part"], table["fold"], strict=True):
        for name in (part, f"fold {fold}"):
            if name in held:
                held[name][label] += 1
    findings = [
        Finding(
            kind="class-absent",
            severity="warning",
            text=f"no case of {', '.join(lacking)} in {name}",
            remedy="add patients of this class, or ask for fewer parts or folds",
        )
        for name, counts in held.items()
        if (lacking := [label for label in classes if not counts[label]])
    ]
    few = {label: held["val"][label] for label in classes} if "val" in held else {}
    few = {label: n for label, n in few.items() if 0 < n < settings.min_per_class}
    if few:
        counts = ", ".join(f"{n} of {label}" for label, n in few.items())
        findings.append(
            Finding(
                kind="small-validation",
                severity="warning",
                text=f"validation has only {counts}: thresholds and calibration chosen on it "
                "are uncertain",
                remedy="with 5 folds, every case outside the test part serves for validation",
            )
        )
    return findings


def _torn(catalog: Catalog, name: str, table: pl.DataFrame) -> list[Finding]:
    """Values of the group column that official parts put into two parts."""
    parts, cases = table["part"], table["case"]
    torn = [rows for rows in _alike(_column(catalog, name)) if len({parts[i] for i in rows}) > 1]
    finding = Finding(
        kind="group-torn",
        severity="warning",
        text=f"{len(torn)} values of {name} lie in two official parts of the data set",
        remedy="data.official: false, or `split --no-use-official`, deals all cases anew",
        groups=tuple(tuple(cases[i] for i in rows) for rows in torn),
    )
    return [finding] if torn else []


def _prove(work: _Work, table: pl.DataFrame) -> None:
    """No group in two parts or folds, but where official parts tear it (which is a finding)."""
    if "train" not in work.parts:
        raise InputError(
            "no case is left for training",
            remedy="split without the official parts, or add data to train on",
        )
    homes = list(zip(table["part"], table["fold"], strict=True))
    for index, rows in enumerate(work.groups):
        if index not in work.torn and len({homes[row] for row in rows}) > 1:
            raise LeakError(
                f"{len(rows)} cases of one patient lie in two parts of the split",
                remedy="this is a fault of the program: please report it",
            )
