"""10,000 damaged files of every format: is there one that does not end in an Image or our error?

python tests/long/fuzz_formats.py [--count 10000] [--only nii dicom …] [--work DIR] [--out …]

The damage of a number is always the same (tests/helpers/mutants.py), and what was read stays read:
stopped and started again it goes on, from `--work`. Defects are listed with their number; to see
the files of one:

python tests/long/fuzz_formats.py --show nii 4711 DIR
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
from fuzzing import Reader, Whole, tally
from mutants import mutant
from seeds import SEEDS

RESULT = Path(__file__).parent / "results/fuzz_formats.json"
BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_formats")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--show", nargs=3, metavar=("SEED", "NUMBER", "DIR"))
    asked = parser.parse_args()
    if asked.show:
        show(asked.show[0], int(asked.show[1]), Path(asked.show[2]))
        return
    asked.work.mkdir(parents=True, exist_ok=True)
    reader = Reader()
    found = {name: tried(name, asked.count, reader, asked.work) for name in asked.only}
    reader.close()
    known = json.loads(asked.out.read_text())["formats"] if asked.out.exists() else {}
    merged = dict(sorted((known | found).items()))
    result = {"damaged files": sum(_total(one) for one in merged.values()),
              "defects": sum(len(one["defects"]) for one in merged.values()),
              "formats": merged}  # fmt: skip
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: found[name] for name in found}, indent=1))
    sys.exit(any(one["defects"] for one in found.values()))


def tried(name: str, count: int, reader: Reader, work: Path) -> dict[str, Any]:
    """How many of a format's damaged files ended how; goes on where it was stopped."""
    state = work / f"{name}.json"
    done: dict[str, Any] = {"tried": 0, "ends": {}, "defects": {}}
    if state.exists():
        done = json.loads(state.read_text())
    while done["tried"] < count:
        last = min(count, done["tried"] + BATCH)
        counts, defects = tally(reader.verdicts(name, done["tried"], last))
        done = {
            "tried": last,
            "ends": dict(Counter(done["ends"]) + counts),
            "defects": done["defects"] | {str(n): told for n, told in defects.items()},
        }
        part = state.with_suffix(".part")
        part.write_text(json.dumps(done))
        part.replace(state)
        print(name, done["tried"], done["ends"], flush=True)
    return {"ends": dict(sorted(done["ends"].items())), "defects": done["defects"]}


def _total(one: dict[str, Any]) -> int:
    return sum(one["ends"].values())


def show(name: str, number: int, folder: Path) -> None:
    """Write the damaged files of a number."""
    with tempfile.TemporaryDirectory() as whole_folder:
        wholes = {}
        for seed in SEEDS:
            place = Path(whole_folder) / seed
            place.mkdir()
            wholes[seed] = Whole.of(seed, place)
    others = [data for whole in wholes.values() for data in whole.files.values()]
    changed = mutant(wholes[name].files, number, wholes[name].voxels, others)
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in changed.files.items():
        (folder / file).write_bytes(data)
        print(folder / file, changed.kind)


if __name__ == "__main__":
    main()
