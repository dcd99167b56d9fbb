"""From folders to a catalog that is split and audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hounsfield.errors import UsageError
from hounsfield.progress import SILENT, Watch

if TYPE_CHECKING:
    from hounsfield.audit import Audit
    from hounsfield.catalog import Catalog, Finding
    from hounsfield.catalog.scan import Indexed
    from hounsfield.catalog.split import Split

Data = str | PathLike[str]


def index(
    folders: Data | Sequence[Data], out: Data, *, watch: Watch = SILENT, **settings: Any
) -> Indexed:
    """One folder or several become a catalog in the folder `out`."""
    from hounsfield.catalog import builtin
    from hounsfield.catalog.scan import IndexSettings
    from hounsfield.catalog.scan import index as scan

    paths = [
        builtin.materialise(str(folder), Path(out)) if is_built_in(folder) else Path(folder)
        for folder in listed(folders)
    ]
    return scan(paths, Path(out), IndexSettings.model_validate(settings), watch.tell)


def split(catalog: Catalog, asked: Mapping[str, Any] | None = None) -> Split:
    """Which cases train, choose and test, as the plan's `data` section says."""
    from hounsfield.plan.split import split_catalog

    return split_catalog(catalog, dict(asked or {}))


def audit(
    catalog: Catalog, split: Split | None = None, *, watch: Watch = SILENT, **settings: Any
) -> Audit:
    """Duplicates, leaks, label conflicts and shortcuts of a catalog and its split."""
    from hounsfield.audit import AuditSettings
    from hounsfield.audit import audit as examine

    assert catalog.folder is not None
    chosen = AuditSettings.model_validate(settings)
    return examine(catalog, split, chosen, cache=catalog.folder / "audit", progress=watch.tell)


def catalog_of(
    data: Sequence[Data],
    beside: Path,
    watch: Watch,
    *,
    keep_ids: bool = False,
    label_map: Path | None = None,
) -> Catalog:
    """The one catalog that `data` is, or one indexed from it into the folder `beside`.

    Raises:
        UsageError: a catalog is there already, and names or labels are asked for anew.
    """
    from hounsfield.catalog import Catalog

    if is_catalog(data):
        if keep_ids or label_map:
            raise UsageError(
                f"{'--keep-ids' if keep_ids else '--data.label-map'} comes too late",
                file=Path(data[0]),
                expected="images: this is a catalog, whose names and labels are settled",
                remedy="give it to `hounsfield index`, or train on the images' own folder",
            )
        return Catalog.load(Path(data[0]))
    with watch.stage("index"):
        made = index(data, beside, watch=watch, keep_ids=keep_ids, label_map=label_map)
    return made.catalog


def tell(findings: Iterable[Finding], watch: Watch, *severities: str) -> None:
    """Say the findings of these severities, or all."""
    for finding in findings:
        if not severities or finding.severity in severities:
            watch.say(f"{finding.severity}: {finding.text}")


def noticed(catalog: Catalog) -> list[Finding]:
    """What indexing found that matters: files set aside, and the like."""
    from hounsfield.catalog.findings import load

    assert catalog.folder is not None
    return [one for one in load(catalog.folder) if one.severity != "info"]


def beside_run(run: Path) -> Path:
    """Where a run's own catalog, link and cache lie, outside the run: RUN.catalog."""
    return run.with_name(f"{run.name}.catalog")


def cache_of(catalog: Catalog) -> Path:
    """Where a catalog's prepared images lie."""
    assert catalog.folder is not None
    return catalog.folder / "cache"


def listed(data: Data | Sequence[Data]) -> list[Data]:
    """One path or several, as a list."""
    return [data] if isinstance(data, str | PathLike) else list(data)


def is_catalog(data: Sequence[Data]) -> bool:
    """Is this one catalog that was indexed before?"""
    return (
        len(data) == 1 and not is_built_in(data[0]) and (Path(data[0]) / "images.parquet").exists()
    )


def is_built_in(data: Data) -> bool:
    """Is this the name of a data set that comes with a library, and no path?"""
    return str(data).startswith("dataset:")
