"""COVID against healthy from three merged public sources, and what the number is worth.

    python run.py COHEN MOONEY RADIOGRAPHY --out study

README.md says how to get the three folders.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from hounsfield import workflow
from hounsfield.cli.console import Terminal
from hounsfield.reports.sources import print_study

HERE = Path(__file__).parent
FRONTAL = {"view": "PA,AP,AP Supine,AP Erect,AP semi erect", "modality": "X-ray"}
PUBLISHED = """\
Published (fine-tuned DenseNet-121, 200 + 200 pictures, sources mixed, no intervals):
            precision  recall  F1
  class 0        0.73    0.95  0.83
  class 1        0.94    0.66  0.77
  accuracy                     0.81
"""


def main() -> None:
    given = arguments()
    asked = {
        "data.label_map": HERE / "labels.yaml",
        "task.name": "classification",
        "task.settings.classes": ("healthy", "COVID"),
        "model.name": given.network,
        "preprocessing.size": (given.size, given.size),
        "training.seed": given.seed,
        "data.seed": given.seed,
    }
    if given.weights:
        asked["model.weights"] = given.weights
    if given.epochs:
        asked["training.epochs"] = given.epochs
    if given.minutes:
        asked["training.budget"] = given.minutes
    watch = Terminal()
    study = workflow.leave_out(
        given.folders,
        asked,
        out=given.out,
        settings=workflow.LeaveOut(per_class=given.per_class, keep=FRONTAL, seed=given.seed),
        watch=watch,
    )
    console = Console(soft_wrap=True, highlight=False)
    print_study(study, console)
    console.print(PUBLISHED, markup=False)
    for finding in study.findings:
        console.print(f"{finding.severity}: {finding.text}", markup=False)
    console.print(str(given.out / "leave_out.html"), markup=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs=3, type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=Path("study"))
    parser.add_argument("--network", default="densenet121", help="cnn, or any timm name")
    parser.add_argument("--weights", default="", help="a file of pretrained weights, or hub")
    parser.add_argument("--size", type=int, default=224, help="pixels a side")
    parser.add_argument("--per-class", type=int, default=200, help="0: all pictures")
    parser.add_argument("--epochs", type=int, default=0, help="0: as the planner says")
    parser.add_argument("--minutes", type=float, default=0.0, help="of training a network")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
