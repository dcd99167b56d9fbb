"""hounsfield quality FILE|FOLDER"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from hounsfield.workflow.preparing import Measured

MOST_SHOWN = 40
COLUMNS = ("noise", "SNR", "variation", "ghost", "streaks", "axis", "blur", "entropy")


def quality(path: Path, /, *, csv: Path | None = None, phi: bool = False) -> None:
    """Measure noise, signal-to-noise ratio, motion and ghosting of each volume.

    Ghost, streaks, blur and entropy grow with artefacts, and rank images of one kind only; ghost
    and streaks need air around the body. Values in HU have noise alone.

    Parameters
    ----------
    path
        A file, one image of a file (scan.npz#train_images/17), or a folder.
    csv
        Write all rows as a table, too.
    phi
        Show names of files that may be people's.
    """
    from hounsfield.cli.console import Terminal
    from hounsfield.workflow.preparing import measure, save_measured

    terminal = Terminal(times=False)
    with terminal.stage("quality"):
        measured = list(measure(path, names=phi, watch=terminal))
    terminal.out.print(_table(measured[:MOST_SHOWN]))
    if len(measured) > MOST_SHOWN:
        terminal.say(f"and {len(measured) - MOST_SHOWN:,} more (--csv FILE writes all)")
    for one in measured[:MOST_SHOWN]:
        if one.problem:
            terminal.say(f"image {one.image}: {one.problem}")
    if csv:
        save_measured(measured, csv)
        terminal.say(str(csv))


def _table(measured: list[Measured]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("image", "name", "size"):
        table.add_column(name, justify="right" if name == "image" else "left")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for one in measured:
        table.add_row(str(one.image), one.name or "(hidden)", one.size, *_cells(one))
    return table


def _cells(one: Measured) -> list[str]:
    found = one.quality
    if found is None:
        return ["-"] * len(COLUMNS)
    noise = "-" if found.noise is None else f"{found.noise:.3g} ({found.noise_from})"
    numbers = (found.snr, found.variation, found.ghost, found.streaks)
    shown = ["-" if number is None else f"{number:.3g}" for number in numbers]
    entropies = [
        "-" if number is None else f"{number:.3f}" for number in (found.blur, found.entropy)
    ]
    return [noise, *shown, found.axis or "-", *entropies]
