"""hounsfield audit CATALOG"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hounsfield.audit import Audit


def audit(
    catalog: Path,
    /,
    *,
    split: Path | None = None,
    out: Path | None = None,
    near: Literal["auto", "on", "off"] = "auto",
    on_leak: Literal["drop", "stop", "allow"] | None = None,
    strict: bool = False,
) -> None:
    """Look for what makes a result too good: copies, leaks, wrong labels and shortcuts.

    Identical pictures are found by their pixels, near ones (resized, cropped, compressed,
    brightened) by a sketch, registration and correlation. Each picture is read once; a second
    audit reads none.

    Parameters
    ----------
    catalog
        The catalog's folder.
    split
        The folder of split.parquet; the catalog's own if not given and there is one.
    out
        The folder for audit.json and near_duplicates.png; the catalog's own if not given.
    near
        Near duplicates: where pictures are large enough to tell, always, or never.
    on_leak
        Also make the split anew: drop copies from training, stop at any, or allow them.
    strict
        End with exit code 3 if anything is found that is a warning or worse.
    """
    from rich.console import Console

    from hounsfield import workflow
    from hounsfield.audit import apply
    from hounsfield.audit.sheet import save as save_sheet
    from hounsfield.catalog import Catalog
    from hounsfield.catalog.split import SPLIT_FILE, Split
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.index import print_findings
    from hounsfield.errors import UsageError

    console, watch, whole = Console(soft_wrap=True), Terminal(times=False), Catalog.load(catalog)
    where = split or (catalog if (catalog / SPLIT_FILE).is_file() else None)
    shared = Split.load(where) if where else None
    if on_leak and shared is None:
        raise UsageError("there is no split to change", remedy="`hounsfield split CATALOG` first")
    with watch.stage("audit"):
        found = workflow.audit(whole, shared, watch=watch, near=near)
        sheet = save_sheet(found, whole, out or catalog)
        saved = found.save(out or catalog)  # also where a leak stops what follows
    print_findings(found.findings, console)
    if on_leak and shared is not None:
        kept, left = apply(found, shared, on_leak)
        kept.save(out or where or catalog)
        print_findings(left, console)
    console.print(_speed(found, watch.seconds["audit"]), markup=False)
    written = [str(path) for path in (sheet, saved) if path]
    console.print(*written, sep="\n", markup=False, highlight=False)
    if strict:
        _refuse_grave(found)


def _speed(found: Audit, seconds: float) -> str:
    from hounsfield.catalog.findings import counted

    rate = f" ({found.images / seconds:,.0f} a second)" if seconds > 1 else ""
    return f"{counted(found.images, 'image')} in {seconds:.1f} s{rate}"


def _refuse_grave(found: Audit) -> None:
    from hounsfield.catalog.findings import counted
    from hounsfield.errors import InputError

    grave = [finding for finding in found.findings if finding.severity != "info"]
    if grave:
        raise InputError(
            f"{counted(len(grave), 'finding')}, and --strict was given",
            remedy="see the findings above",
        )
