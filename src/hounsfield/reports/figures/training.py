"""Learning curves: loss, and what training watched, epoch by epoch for each member."""

from __future__ import annotations

import polars as pl
from matplotlib.ticker import MaxNLocator

from hounsfield.metrics import METRICS, metric
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "training"
LOSS = (
    "The loss falls while the network learns. Where validation rises again while training falls, "
    "it learns by heart."
)
WATCHED = "What training watched on the validation part, epoch by epoch."
ENOUGH = 3  # epochs: one or two make no curve
TOO_SHORT = "Not drawn: after one or two epochs there is no learning curve yet."
NOT_DRAWN = ("epoch", "step", "seconds", "learning_rate", "lr", "best")


@style.styled
def draw(view: View) -> list[Figure]:
    """A panel of losses and one of each other logged value; none before the first epoch."""
    histories = {member.name: member.history() for member in view.run.members}
    histories = {name: table for name, table in histories.items() if table.height}
    if histories and max(table.height for table in histories.values()) < ENOUGH:
        return [Figure("training", "Loss", TOO_SHORT)]
    columns = list(dict.fromkeys(c for table in histories.values() for c in table.columns))
    columns = [c for c in columns if c not in NOT_DRAWN and _numeric(histories, c)]
    losses = [c for c in columns if c != "monitor"]
    # Losses of several heads are logged beside their sum, which tells the story.
    sums = [c for c in losses if c in ("loss", "train_loss", "val_loss")]
    shown: list[str] = sums or losses[:6]
    figures = [_draw(histories, shown, "training", "Loss", LOSS)] if shown else []
    if "monitor" in columns:
        title = _watched(histories)
        figures.append(_draw(histories, ["monitor"], "training-monitor", title, WATCHED))
    return figures


def _watched(histories: dict[str, pl.DataFrame]) -> str:
    """The name of what `monitor` holds."""
    first = next(iter(histories.values()))
    name = str(first["metric"][0]) if "metric" in first.columns else "monitor"
    return f"{_words(name)} on validation"


def _draw(
    histories: dict[str, pl.DataFrame], columns: list[str], file: str, title: str, caption: str
) -> Figure:
    canvas, axes = style.panel(2.9)
    many = len(histories) > 1
    for number, column in enumerate(columns):
        drawn = [table for table in histories.values() if column in table.columns]
        for m, table in enumerate(drawn):
            epochs = table["epoch"] if "epoch" in table.columns else range(1, table.height + 1)
            label = (title if column == "monitor" else _words(column)) if m == 0 else None
            axes.plot(
                epochs, _sign(table, column) * table[column], "-", label=label,
                color=style.series(number), alpha=0.6 if many else 1,
            )  # fmt: skip
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend_below(axes, columns=2)
    if many:
        caption += f" One line for each of the {len(histories)} members."
    return Figure.of(canvas, file, title, caption)


def _sign(table: pl.DataFrame, column: str) -> int:
    """Of what is watched, the metric's own: errors are watched with a minus."""
    name = str(table["metric"][0]) if "metric" in table.columns else ""
    falls = column == "monitor" and name in METRICS and not metric(name).higher_is_better
    return -1 if falls else 1


def _numeric(histories: dict[str, pl.DataFrame], column: str) -> bool:
    tables = [table for table in histories.values() if column in table.columns]
    return all(table[column].dtype.is_numeric() for table in tables)


def _words(column: str) -> str:
    names = {"train": "training", "val": "validation", "auroc": "AUROC", "auprc": "AUPRC"}
    words = " ".join(names.get(word, word) for word in column.replace("/", "_").split("_"))
    return words[:1].upper() + words[1:]
