"""hounsfield quality FILE|FOLDER"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from hounsfield.workflow.preparing import Measured

MOST_SHOWN = 40
COLUMNS = ("noise", "from", "SNR", "variation", "ghost", "streaks", "blur", "entropy")
WIDTH = 110  # where a terminal is narrower, it breaks the lines: no number is cut


def quality(
    path: Path, /, *, csv: Path | None = None, phi: bool = False, overwrite: bool = False
) -> None:
    """Measure noise, signal-to-noise ratio, motion and ghosting of each volume.

    Ghost, streaks, blur and entropy grow with artefacts, and rank images of one kind only; ghost
    and streaks need air around the body. Values in HU, SUV or °C have noise alone.

    Parameters
    ----------
    path
        A file, one image of a file (scan.npz#train_images/17), or a folder.
    csv
        Write all rows as a table, too.
    phi
        Show names of files that may be people's; without it they are #3, as FOLDER#3 reads them.
    overwrite
        Replace what exists.
    """
    from rich.console import Console

    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.cli.info_folder import HIDDEN_TOLD

    terminal = Terminal(times=False)
    with terminal.stage("quality"):
        measured = workflow.quality(path, csv=csv, names=phi, overwrite=overwrite, watch=terminal)
    wide = Console(width=max(terminal.out.width, WIDTH), highlight=False)
    wide.print(_table(measured[:MOST_SHOWN]))
    if len(measured) > MOST_SHOWN:
        terminal.say(f"and {len(measured) - MOST_SHOWN:,} more (--csv FILE writes all)")
    if any(one.hidden for one in measured):
        terminal.say(HIDDEN_TOLD)
    for one in measured[:MOST_SHOWN]:
        if one.problem:
            terminal.say(f"image {one.image}: {one.problem}")
    if csv:
        terminal.say(str(csv))


def _table(measured: list[Measured]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for name in ("image", "name", "size"):
        table.add_column(name, justify="right" if name == "image" else "left")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for one in measured:
        shown = Text(one.name)  # brackets in it are no markup
        table.add_row(str(one.image), shown, one.size, *_cells(one))
    return table


def _cells(one: Measured) -> list[str]:
    found = one.quality
    if found is None:
        return ["-"] * len(COLUMNS)
    streaks = "-" if found.streaks is None else f"{found.streaks:.3g} ({found.axis})"
    return [
        _short(found.noise),
        found.noise_from,
        _short(found.snr),
        _short(found.variation, 3),
        _short(found.ghost, 3),
        streaks,
        _short(found.blur, 3),
        _short(found.entropy, 3),
    ]


def _short(number: float | None, places: int | None = None) -> str:
    if number is None:
        return "-"
    return f"{number:.3g}" if places is None else f"{number:.{places}f}"
