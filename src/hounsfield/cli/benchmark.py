"""hounsfield benchmark medmnist"""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from hounsfield.cli.asking import Flags, asked

TOLD = 0.6  # a limit above chance, as it is the highest of several classes that is shown

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
    from rich.box import SIMPLE
    from rich.table import Table

    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal()
    values = asked(flags, plan, {})
    rows = workflow.benchmark_medmnist(data, values, out=out, seeds=seeds, watch=watch)
    title = "Test part: mean over seeds with 95 % interval"
    table = Table(title=title, box=SIMPLE)
    for column in ("set", "AUROC", "ResNet-18\nbest", "accuracy", "ResNet-18\nbest", "minutes"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for row in rows.iter_rows(named=True):
        cells = [_cells(row, metric) for metric in ("auroc", "accuracy")]
        table.add_row(
            row["set"], *(cell for pair in cells for cell in pair), f"{row['minutes']:.1f}"
        )
    watch.out.print(table)
    for row in rows.iter_rows(named=True):
        for sentence in _alike(row):
            watch.say(f"{row['set']}: {sentence}")
    watch.say(str(out / "benchmark.csv"))


def _alike(row: dict[str, float | None]) -> list[str]:
    """Whether the evaluation parts can be told from the training part, in words."""
    said = []
    for part, name in (("val", "validation"), ("test", "test")):
        value, low = row[f"{part}_told"], row[f"{part}_told_low"]
        if value is None or low is None:
            continue
        how = f"AUROC {value:.2f} ({low:.2f}–{row[f'{part}_told_high']:.2f}), 0.5 is chance"
        told = "can be told" if low > TOLD else "is not told"
        said.append(f"the {name} part {told} from the training part by coarse grey values: {how}")
    return said


def _cells(row: dict[str, float | None], metric: str) -> tuple[str, str]:
    ours = f"{row[metric]:.3f}\n{row[f'{metric}_low']:.3f}–{row[f'{metric}_high']:.3f}"
    known, best = row[f"{metric}_resnet18"], row[f"{metric}_best"]
    return ours, "–" if known is None else f"{known:.3f}\n{best:.3f}"
