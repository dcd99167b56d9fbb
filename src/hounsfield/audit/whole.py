"""The audit: everything that is looked for, in one pass over the images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from hounsfield.audit import balance, labels, leaks
from hounsfield.audit.exact import exact_groups, images_of_cases, in_order, merged
from hounsfield.audit.hashing import LEGIBLE
from hounsfield.audit.pairs import near_pairs
from hounsfield.audit.prints import Prints, Progress, prints
from hounsfield.audit.results import Audit, AuditSettings, NearGroup, Pair
from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.tables import Catalog

if TYPE_CHECKING:
    from hounsfield.catalog.split import Split

Groups = tuple[tuple[str, ...], ...]


def audit(
    catalog: Catalog,
    split: Split | None = None,
    settings: AuditSettings | None = None,
    *,
    cache: str | Path,
    progress: Progress | None = None,
) -> Audit:
    """What is wrong with a data set and its split; reads each image once, then never again.

    `cache` is a folder that keeps what was read of each image, to be used by the next audit.

    Raises:
        InputError: the catalog's link to its files is gone.
    """
    settings = settings or AuditSettings()
    seen = _used(catalog)
    large = _large(seen, settings)
    kept = prints(
        seen, Path(cache), with_small=large.height > 0, workers=settings.workers, progress=progress
    )
    exact = exact_groups(catalog, kept.table)
    pairs = near_pairs(catalog, kept, large, settings, progress)
    near = _near_groups(catalog, exact, pairs)
    found = Audit(exact=exact, near=near, images=seen.images.height)
    conflicts = labels.conflicts(catalog, found.duplicates)
    tables = balance.tables(catalog)
    said = (
        *_unread(catalog, kept),
        *_duplicates(catalog, found),
        *_near_told(found, seen),
        *_near_unseen(seen, settings),
        *labels.findings(conflicts),
        *balance.findings(tables, settings),
        *leaks.patients(catalog),
    )
    found = found.model_copy(update={"findings": said, "conflicts": conflicts, "tables": tables})
    return against(found, catalog, split) if split else found


def against(found: Audit, catalog: Catalog, split: Split) -> Audit:
    """The same audit with what a split adds to it; reads nothing.

    So a catalog can be audited, split with `found.duplicates` kept together, and judged.
    """
    said = (*found.findings, *leaks.overlap(catalog, split), *leaks.crossing(found, split))
    return found.model_copy(update={"findings": said})


def _used(catalog: Catalog) -> Catalog:
    """The catalog with the images that its cases are made of (no masks)."""
    return catalog.select(catalog.cases["case"].to_list())


def _large(catalog: Catalog, settings: AuditSettings) -> pl.DataFrame:
    """The images that are large enough to tell near duplicates, or all, or none."""
    if settings.near == "off":
        return catalog.images.clear()
    if settings.near == "on":
        return catalog.images
    return catalog.images.filter(pl.min_horizontal("height", "width") >= LEGIBLE)


def _near_groups(catalog: Catalog, exact: Groups, pairs: list[Pair]) -> tuple[NearGroup, ...]:
    """What the pairs tie together, with the exact copies of each."""
    groups = merged([*exact, *((pair.first, pair.second) for pair in pairs)])
    tied = {case for pair in pairs for case in (pair.first, pair.second)}
    ordered = in_order(catalog, (group for group in groups if tied.intersection(group)))
    return tuple(
        NearGroup(cases=tuple(group), pairs=tuple(p for p in pairs if p.first in group))
        for group in ordered
    )


def _unread(catalog: Catalog, kept: Prints) -> tuple[Finding, ...]:
    findings = []
    told = images_of_cases(catalog).join(kept.table, on="image", maintain_order="left")
    bad = told.filter(pl.col("problem").is_not_null())
    if bad.height:
        findings.append(
            Finding(
                kind="unreadable",
                severity="warning",
                text=f"{counted(bad.height, 'image')} cannot be read, e.g.: {bad['problem'][0]}",
                remedy="copy the files again, or index anew to set them aside",
                groups=(tuple(bad["case"].to_list()),),
            )
        )
    blank = told.filter("blank")
    if blank.height:
        findings.append(
            Finding(
                kind="blank",
                severity="warning",
                text=f"{counted(blank.height, 'image')} of one value everywhere: nothing to see",
                remedy="leave these cases out",
                groups=(tuple(blank["case"].to_list()),),
            )
        )
    return tuple(findings)


def _duplicates(catalog: Catalog, found: Audit) -> tuple[Finding, ...]:
    if not found.exact:
        return ()
    cases = sum(len(group) for group in found.exact)
    findings = [
        Finding(
            kind="exact-duplicates",
            severity="info",
            text=f"{counted(len(found.exact), 'group')} of identical pictures ({cases:,} cases)",
            remedy="the split keeps each group together where it may; see the leaks",
            groups=found.exact,
        )
    ]
    return (*findings, *leaks.identities(catalog, found.exact))


def _patients(catalog: Catalog, group: tuple[str, ...]) -> int:
    """The patients of some cases; a case of unknown or guessed patient is one of its own."""
    mine = catalog.cases.filter(pl.col("case").is_in(group))
    sure = mine.filter(pl.col("patient_known").is_in(["given", "mapped"]))
    return sure["patient"].n_unique() + mine.height - sure.height


def _near_told(found: Audit, catalog: Catalog) -> tuple[Finding, ...]:
    """The near duplicates: those of several patients, and those of one."""
    groups = tuple(group.cases for group in found.near)
    across = tuple(group for group in groups if _patients(catalog, group) > 1)
    within = tuple(group for group in groups if group not in across)
    findings = []
    if across:
        findings.append(
            Finding(
                kind="near-duplicates",
                severity="warning",
                text=f"{counted(len(across), 'group')} of one picture in several versions "
                f"({sum(map(len, across)):,} cases): resized, cropped, compressed or brightened",
                remedy="look at near_duplicates.png; they count as duplicates",
                groups=across,
            )
        )
    if within:
        findings.append(
            Finding(
                kind="near-duplicates-of-a-patient",
                severity="info",
                text=f"{counted(len(within), 'group')} of pictures of one patient "
                f"({sum(map(len, within)):,} cases) are so alike that they may be one exposure",
                remedy="look at near_duplicates.png; no split parts a patient",
                groups=within,
            )
        )
    return tuple(findings)


def _near_unseen(catalog: Catalog, settings: AuditSettings) -> tuple[Finding, ...]:
    """Where near duplicates were not looked for, or cannot be told."""
    if settings.near == "off":
        text = "near duplicates were not looked for"
        return (Finding(kind="near-skipped", severity="info", text=text),)
    tiny = catalog.images.filter(pl.min_horizontal("height", "width") < LEGIBLE).height
    if not tiny:
        return ()
    how = "was not tried" if settings.near == "auto" else "may be wrong"
    return (
        Finding(
            kind="near-unreliable",
            severity="warning",
            text=f"{counted(tiny, 'image')} smaller than {LEGIBLE} pixels: at that size near "
            f"duplicates cannot be told reliably, so it {how}; exact ones are found",
            remedy="use the data set in a larger size if there is one",
        ),
    )
