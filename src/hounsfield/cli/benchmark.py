"""hounsfield benchmark medmnist"""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from hounsfield.cli.asking import Flags, asked

app = App(name="benchmark", help="Public benchmarks, our numbers beside the published ones.")


@app.command
def medmnist(
    *,
    data: Path,
    out: Path = Path("benchmark"),
    seeds: int = 3,
    plan: Path | None = None,
    flags: Flags = None,
) -> None:
    """Train on each MedMNIST file of a folder, and set the results beside the published ones.

    Finished runs are kept: the same command goes on where it was stopped.

    Parameters
    ----------
    data
        A folder with NAME.npz files, also below it, or one such file.
    out
        The folder of the runs and of benchmark.csv.
    seeds
        Networks a set, each from a seed of its own.
    plan
        A plan.yaml with values that are asked for.
    """
    from rich.table import Table

    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal()
    values = asked(flags, plan, {})
    rows = workflow.benchmark_medmnist(data, values, out=out, seeds=seeds, watch=watch)
    table = Table(title="Test part: mean over seeds (95 % interval); published: ResNet-18, best")
    for column in ("set", "AUROC", "published", "accuracy", "published", "minutes a seed"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for row in rows.iter_rows(named=True):
        cells = [_cells(row, metric) for metric in ("auroc", "accuracy")]
        table.add_row(
            row["set"], *(cell for pair in cells for cell in pair), f"{row['minutes']:.1f}"
        )
    watch.out.print(table)
    watch.say(str(out / "benchmark.csv"))


def _cells(row: dict[str, float | None], metric: str) -> tuple[str, str]:
    ours = f"{row[metric]:.3f} ({row[f'{metric}_low']:.3f}–{row[f'{metric}_high']:.3f})"
    published = [row[f"{metric}_resnet18"], row[f"{metric}_best"]]
    return ours, ", ".join("–" if one is None else f"{one:.3f}" for one in published)
