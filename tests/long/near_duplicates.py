"""How many copies are found and how many strangers are taken for copies, over many phantoms.

    python -P tests/long/near_duplicates.py                  all of it, from the start
    python -P tests/long/near_duplicates.py --work FOLDER    goes on where it was stopped

Every patient's picture is searched among all; for the first `--copied` patients each version of
tests/audit/test_near.py is then searched among all originals. Pictures are kept in `--work`;
without it they are gone at the end.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.audit.hashing import small_picture
from hounsfield.audit.near import find
from hounsfield.audit.results import AuditSettings
from hounsfield.catalog.phantoms.chest_case import draw_case
from hounsfield.catalog.phantoms.chest_render import render
from hounsfield.catalog.phantoms.chest_xray import Settings

SIZE = 512
RESULTS = Path(__file__).parent / "results" / "near_duplicates.json"
CHUNK = 50  # patients in one file of the work folder


def versions() -> dict[str, Any]:
    """The transformations that the short tests use."""
    path = Path(__file__).parents[1] / "audit" / "test_near.py"
    spec = importlib.util.spec_from_file_location("test_near", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.VERSIONS)


def pictures(start: int, copied: int, seed: int, work: Path) -> Path:
    """The small pictures of CHUNK patients and of their versions, in one file."""
    path = work / f"{seed}-{SIZE}-{start}.npz"
    if path.exists():
        return path
    kept: dict[str, list[NDArray[np.uint8]]] = {}
    settings = Settings(patients=start + CHUNK, images_per_patient=1, size=SIZE, seed=seed)
    for patient in range(start, start + CHUNK):
        _, (shot,) = draw_case(patient, settings)
        picture = np.asarray(render(shot.exposure).pixels / 16, np.uint8)
        kept.setdefault("original", []).append(small_picture(picture[None, None]))
        if patient < copied:
            for name, change in versions().items():
                kept.setdefault(name, []).append(small_picture(change(picture)[None, None]))
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **{name: np.stack(several) for name, several in kept.items()})
    part.replace(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--copied", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="a folder; a temporary one if not given")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.work is not None:
        given.work.mkdir(parents=True, exist_ok=True)
        measure(given)
        return
    with tempfile.TemporaryDirectory() as work:
        given.work = Path(work)
        measure(given)


def measure(given: argparse.Namespace) -> None:
    """Draw, search, and write the rates."""
    starts = range(0, given.patients, CHUNK)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.workers, spawn) as pool:
        jobs = [pool.submit(pictures, s, given.copied, given.seed, given.work) for s in starts]
        files = [job.result() for job in jobs]
    loaded = [dict(np.load(file)) for file in files]
    originals = np.concatenate([part["original"] for part in loaded])[: given.patients]
    result = rates(originals, loaded, given)
    result["settings"] = {
        name: value for name, value in vars(given).items() if name in ("patients", "copied", "seed")
    } | {"size": SIZE, "correlation": AuditSettings().correlation}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def rates(
    originals: NDArray[np.uint8], loaded: list[dict[str, NDArray[np.uint8]]], given: Any
) -> dict[str, Any]:
    """False pairs among the originals, and the share found of each version."""
    searched = {"original": once("original", originals, None, given)}
    for name in versions():
        copies = np.concatenate([part[name] for part in loaded if name in part])
        searched[name] = once(name, originals, copies, given)
    strangers = searched.pop("original")
    copies_found = sum(one["found"] for one in searched.values())
    return {
        "false_pairs": strangers["others"],
        "share_found": round(copies_found / sum(one["copies"] for one in searched.values()), 5),
        "false_pairs_with_copies": sum(one["others"] for one in searched.values()),
        "versions": searched,
    }


def once(
    name: str, originals: NDArray[np.uint8], copies: NDArray[np.uint8] | None, given: Any
) -> dict[str, Any]:
    """Search the originals and copies of them, unless that was done before."""
    path = given.work / f"{given.seed}-{given.patients}-{given.copied}-{name}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    whole = originals if copies is None else np.concatenate([originals, copies])
    began = time.process_time()
    matches = find(whole, AuditSettings().correlation, given.workers)
    true = [m.correlation for m in matches if m.second == m.first + len(originals)]
    told = {
        "copies": len(whole) - len(originals),
        "found": len(true),
        "others": len(matches) - len(true),
        "lowest": round(min(true, default=0.0), 4),
    }
    path.write_text(json.dumps(told))
    print(name, told, f"{time.process_time() - began:.0f} s of processor time", flush=True)
    return told


if __name__ == "__main__":
    main()
