"""MedMNIST's sets, our numbers beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hounsfield.errors import InputError
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.arms import train_arms
from hounsfield.workflow.data import Data

if TYPE_CHECKING:
    import polars as pl

    from hounsfield.evaluation.estimate import Estimate
    from hounsfield.run import Run

METRICS = ("auroc", "accuracy")
MOST_MINUTES = 10.0  # a network may take, as in a plan that nobody changed


@dataclass(frozen=True)
class Scored:
    """One set's seeds, each trained and its test part scored once."""

    name: str
    runs: Mapping[str, Run]

    def row(self) -> dict[str, Any]:
        """Means over seeds, limits that are means of the seeds' limits, and what was published."""
        from hounsfield.evaluation.published import medmnist

        published = medmnist(self.name)
        minutes = [sum(run.seconds.values()) / 60 for run in self.runs.values()]
        row: dict[str, Any] = {"set": self.name, "seeds": len(self.runs)}
        for metric in METRICS:
            seeds = [_estimate(run, metric) for run in self.runs.values()]
            row[metric] = fmean([one.value for one in seeds])
            row[f"{metric}_low"] = fmean([one.low for one in seeds])
            row[f"{metric}_high"] = fmean([one.high for one in seeds])
            row[f"{metric}_resnet18"] = getattr(published, metric, None)
            row[f"{metric}_best"] = getattr(published, f"best_{metric}", None)
        return row | self.alike() | {"minutes": fmean(minutes)}

    def alike(self) -> dict[str, float | None]:
        """How well each evaluation part is told from the training part: 0.5 is not at all."""
        from hounsfield.workflow.parts_alike import parts_alike

        found = parts_alike(next(iter(self.runs.values())))
        told = {name: [one.auroc for one in probes] for name, probes in found.items()}
        worst = {
            name: max(some, key=lambda one: one.low, default=None) for name, some in told.items()
        }
        return {
            f"{name}_told_{limit}".removesuffix("_value"): getattr(one, limit, None)
            for name, one in worst.items()
            for limit in ("value", "low", "high")
        }


def benchmark_medmnist(
    data: Data,
    asked: Mapping[str, Any] | None = None,
    *,
    out: Data = "benchmark",
    seeds: int = 3,
    watch: Watch = SILENT,
) -> pl.DataFrame:
    """Each MedMNIST file under a folder, trained with several seeds: a row a set.

    The rows also lie in OUT/benchmark.csv; OUT/SET/SEED are the runs. What is finished is kept.

    Raises:
        InputError: no such file under the folder.
    """
    import polars as pl

    from hounsfield.files import whole_file

    files = sets_under(Path(data))
    asked = dict(asked or {})
    budget = float(asked.get("training.budget", MOST_MINUTES))
    networks = len(files) * seeds
    watch.say(f"{len(files)} sets × {seeds} seeds, at most {networks * budget:.0f} minutes")
    rows = []
    for file in files:
        arms = {f"seed-{seed}": asked | {"training.seed": seed} for seed in range(seeds)}
        rows.append(Scored(file.stem, train_arms(file, arms, Path(out) / file.stem, watch=watch)))
    table = pl.DataFrame([one.row() for one in rows])
    with whole_file(Path(out) / "benchmark.csv") as written:
        table.write_csv(written)
    return table


def sets_under(folder: Path) -> list[Path]:
    """The MedMNIST files in a folder and below it, by name.

    Raises:
        InputError: there is none.
    """
    from hounsfield.catalog.layouts import medmnist

    found = [folder] if folder.is_file() else sorted(folder.rglob("*.npz"))
    files = [path for path in found if medmnist.recognise(path)]
    if not files:
        raise InputError(
            "no MedMNIST file here", file=folder, expected="NAME.npz", remedy=medmnist.GET
        )
    return files


def _estimate(run: Run, metric: str) -> Estimate:
    from hounsfield.evaluation.record import Evaluation

    overall = Evaluation.load(run.evaluation("test")).overall()
    return next(one for one in overall if one.metric == metric)
