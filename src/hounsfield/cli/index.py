"""hounsfield index FOLDER…"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.catalog import Finding

NUMBERS = ("images", "cases", "patients")
COLOURS = {"info": "cyan", "warning": "yellow", "stop": "red"}


def index(
    *folders: str,
    out: Path = Path("catalog"),
    layout: str | None = None,
    label_map: Path | None = None,
    source: list[str] | None = None,
    workers: int | None = None,
    keep_ids: bool = False,
) -> None:
    """Read what is in folders of images, without their pixels, into a catalog.

    A second time reads only what changed. Files that cannot be used are listed with the reason
    in rejected.csv. Names and dates of people stay out of the tables: patients are pseudonyms,
    whose key lies in link.parquet, readable by you alone.

    Parameters
    ----------
    folders
        Folders or files, each a data set in a layout of its own, or `dataset:digits`.
    out
        The catalog's folder.
    layout
        The data sets' layout, if it is not recognised: see `hounsfield layouts`.
    label_map
        YAML or CSV with one name for each label, so that several data sets share them.
    source
        What to call each folder in the tables, in the order of the folders.
    workers
        Threads that read; as many as cores if not given.
    keep_ids
        Keep true names and numbers of patients and files in the tables.
    """
    from hounsfield import workflow
    from hounsfield.catalog.scan import IndexSettings
    from hounsfield.catalog.summary import counts
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.failures import checked
    from hounsfield.errors import UsageError

    if not all(folders) or not folders:
        raise UsageError("no folder was given", remedy="hounsfield index FOLDER --out CATALOG")
    settings = checked(
        IndexSettings,
        layout=layout,
        label_map=label_map,
        workers=workers,
        keep_ids=keep_ids,
        sources=tuple(source or ()),
    )
    terminal = Terminal(times=False)
    with terminal.stage("index"):
        made = workflow.index(
            folders,
            out,
            watch=terminal,
            **dict(settings),
        )
    table = counts(made.catalog, made.rejected.height)
    print_table(table.rows(), ("", "", "images", "patients"), terminal.out)
    print_findings(made.findings, terminal.out)
    terminal.say(f"{made.read} read, {made.unchanged} unchanged")
    terminal.say(str(out))


def print_table(rows: Iterable[Sequence[object]], columns: Sequence[str], console: Console) -> None:
    """Rows of words, then numbers; a word that repeats the one above is left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    before: object = None
    for first, *cells in rows:
        shown = ["" if first == before else first, *cells]
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in shown))
        before = first
    console.print(table)


def print_findings(findings: Iterable[Finding], console: Console) -> None:
    """What was noticed, each with what to do."""
    from rich.text import Text

    for one in findings:
        console.print(Text.assemble((one.severity, COLOURS[one.severity]), f": {one.text}"))
        if one.remedy:
            console.print(Text(f"  {one.remedy}", style="dim"))
