"""hounsfield split CATALOG"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def split(
    catalog: Path,
    /,
    *,
    out: Path | None = None,
    label: str | None = None,
    train: float = 0.70,
    val: float = 0.15,
    test: float = 0.15,
    folds: int = 1,
    use_official: Annotated[bool, Parameter(negative_bool="no-")] = True,
    group: str = "patient",
    seed: int = 0,
    min_per_class: int = 50,
) -> None:
    """Share a catalog's cases out to training, validation and test, by patient.

    Classes and sources are shared alike; parts that the data set itself defines are kept.

    Parameters
    ----------
    catalog
        The catalog's folder.
    out
        The folder for split.parquet; the catalog's own if not given.
    label
        The label to share alike, where the catalog has several.
    train
        Share of the cases that the network learns from.
    val
        Share of the cases by which it is chosen and calibrated.
    test
        Share of the cases on which it is measured.
    folds
        Cross-validation folds over all but the test part.
    use_official
        Keep the data set's own parts.
    group
        A column whose values stay together, with each patient's cases.
    seed
        Another number gives another split.
    min_per_class
        An official validation part with fewer cases of a class is refilled from training.
    """
    from rich.console import Console

    from hounsfield.catalog import Catalog
    from hounsfield.catalog.split import SplitSettings
    from hounsfield.catalog.split import split as share_out
    from hounsfield.catalog.summary import labels_of, parts
    from hounsfield.cli.failures import checked
    from hounsfield.cli.index import print_findings, print_table

    console = Console(soft_wrap=True)
    whole = Catalog.load(catalog)
    labels = labels_of(whole, label)
    shares = {"train": train, "val": val, "test": test}
    kept = {"use_official": use_official, "min_per_class": min_per_class}
    settings = checked(SplitSettings, **shares, **kept, folds=folds, group=group, seed=seed)
    made = share_out(whole, labels, settings)
    made.save(out or catalog)
    table = parts(whole, made, labels)
    print_table(table.rows(), table.columns, console)
    print_findings(made.findings, console)
    console.print(str(out or catalog), markup=False, highlight=False)
