"""The metrics as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.record import Evaluation
from hounsfield.reports import numbers
from hounsfield.reports.words import counts

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
    found = [f"{e.title}: {e.note}" for e in evaluation.overall() if not e.reliable and e.note]
    said: dict[str, None] = dict.fromkeys([*evaluation.notes])
    # Many metrics suffer from the same small class: say it once.
    reasons = dict.fromkeys(text.partition(": ")[2] for text in found)
    return [*(f"unreliable: {reason}" for reason in reasons), *said]


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
