"""Ways to join slices on the CT phantom, whose truth is known: see docs/fusion.md.

    python tests/long/fusion_study.py --work WORK          half an hour on two cores

All eight arms on one phantom, and single slice against three slices on others, for a single slice
can know nothing there and its AUROC must scatter about 0.5. Runs that lie in WORK are kept.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from hounsfield.cli import main

RESULTS = Path(__file__).parent / "results" / "fusion_study.json"
PHANTOM = "--patients 400 --size 24 --field 112 --slices 9 --vessels 2 4"
PLAN = """--budget 24 --data.test 0.4 --data.train 0.45 --data.min-per-class 0
--model.settings.widths 8,16 --model.settings.blocks 1,1 --model.settings.stem_stride 1
--training.epochs 20 --training.batch 16 --training.learning-rate 4e-3 --training.ema 0.9
--training.patience 0 --training.precision fp32 --training.memory-format contiguous
--training.threads 1"""
OTHERS = (2, 3)  # seeds of further phantoms


def study(work: Path, seed: int, words: str) -> list[dict[str, str]]:
    """The comparison's table on one phantom."""
    data, out = work / f"ct{seed}", work / f"fusion{seed}"
    if not data.exists():
        assert main(["phantom", "ct-lesion", str(data), *PHANTOM.split(), "--seed", str(seed)]) == 0
    assert (
        main(["compare-fusion", str(data), "--out", str(out), *PLAN.split(), *words.split()]) == 0
    )
    with (out / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["training_seconds"]  # what else the machine did is no result
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    found = {"1": study(work, 1, "")}
    found |= {str(seed): study(work, seed, "--arms single,three-channel") for seed in OTHERS}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
