"""The metrics as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.evaluate import ABSENT
from hounsfield.evaluation.record import Evaluation
from hounsfield.reports import numbers
from hounsfield.reports.words import cautions, counts

BAR = 24  # characters from 0 to 1


def print_estimates(evaluation: Evaluation, console: Console | None = None) -> None:
    """The overall estimates with their intervals; unreliable ones are marked and explained."""
    console = console or Console()
    console.print(estimates_table(evaluation))
    for note in notes(evaluation):
        console.print(Text(note, style="yellow"))


def estimates_table(evaluation: Evaluation) -> Table:
    """One row an estimate; names are plain text, never markup."""
    title = f"{evaluation.name}: {counts(evaluation)}"
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("value", justify="right", style="bold", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("0" + " " * (BAR - 2) + "1", no_wrap=True)
    for one in evaluation.overall():
        style = "" if one.reliable else "yellow"
        name = Text(one.title if one.reliable else f"{one.title} (unreliable)", style=style)
        table.add_row(name, numbers.value(one), numbers.interval(one), Text(bar(one), style="cyan"))
    return table


def notes(evaluation: Evaluation) -> Sequence[str]:
    """What must be read with the table."""
    said = dict.fromkeys(evaluation.notes)
    absent = [note for note in said if note.startswith(ABSENT)]
    # Many metrics suffer from the same small class: say it once.
    shared = [f"unreliable: {reason}" for reason in cautions(evaluation)]
    own: dict[str, list[str]] = {}
    for one in evaluation.overall():
        if not one.reliable and one.remark:
            own.setdefault(one.remark, []).append(one.title)
    remarks = [f"{', '.join(titles)}: {remark}" for remark, titles in own.items()]
    return [*absent, *shared, *remarks, *(note for note in said if note not in absent)]


def bar(estimate: Estimate) -> str:
    """The interval as characters, ─ with ● where the value lies; empty where it leaves 0 to 1."""
    ends = (estimate.low, estimate.value, estimate.high)
    if not all(0 <= end <= 1 for end in ends):
        return ""
    low, value, high = (round(end * (BAR - 1)) for end in ends)
    drawn = [" "] * BAR
    drawn[low : high + 1] = "─" * (high + 1 - low)
    drawn[value] = "●"
    return "".join(drawn).rstrip()
