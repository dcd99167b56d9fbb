"""Predicting with a bundle: without torch, without the network cable, and file by file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from PIL import Image as Picture

from hounsfield import workflow
from hounsfield.bundle.references import References
from hounsfield.errors import InputError, RunError, UsageError
from hounsfield.tasks import TASKS, load
from hounsfield.tasks.contract import Exportable

if TYPE_CHECKING:
    from hounsfield.run import Run

EXPORTABLE = [name for name in TASKS if isinstance(load(name), Exportable)]
# A process in which these cannot be imported, and which tells what it would say to others.
ALONE = r"""
import os, sys
from importlib.machinery import ModuleSpec

BLOCKED = ("torch", "torchvision", "timm", "lightning", "monai")
TOLD = os.open(sys.argv[2], os.O_CREAT | os.O_APPEND | os.O_WRONLY)  # of child processes too


class Absent:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] in BLOCKED else None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        raise ImportError


def heard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        os.write(TOLD, f"{event} {arguments}\n".encode())


sys.addaudithook(heard)
if sys.argv[1] == "blocked":
    sys.meta_path.insert(0, Absent())
"""
PREDICT = """
from hounsfield import workflow
from hounsfield.tasks import load

workflow.predict(sys.argv[3], sys.argv[4], sys.argv[5])
for task in sys.argv[6:]:
    load(task)
here = [name for name in BLOCKED if name in sys.modules]
assert not here, here
"""
QUANTISE = """
from pathlib import Path

import numpy as np
from hounsfield.bundle.int8 import quantised

onnx, images = Path(sys.argv[3]).read_bytes(), np.load(sys.argv[4])
xml, weights = quantised(onnx, ((image[None], None) for image in images), len(images))
import nncf, openvino  # both are in use
from openvino.tools import ovc

assert b"FakeQuantize" in xml
assert "openvino_telemetry.main" not in sys.modules
"""


def alone(code: str, which: str, folder: Path, *words: object) -> str:
    """Run this at a home of its own; what it prints. Nothing may be said to others or kept."""
    home, told = folder / "home", folder / "told"
    home.mkdir()
    command = [sys.executable, "-c", ALONE + code, which, str(told), *map(str, words)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "HOME": str(home), "USERPROFILE": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert told.read_text() == ""
    assert not (home / "intel").exists()  # where OpenVINO would keep who this is
    return done.stdout


def test_needs_no_torch_and_opens_no_connection(
    bundle: Path, told: Callable[..., None], tiny_data: Path, tmp_path: Path
) -> None:
    """OpenVINO, which would report its use, comes first; every task that a bundle can hold."""
    variants = json.loads((bundle / "bundle.json").read_text())["variants"]
    told("variants", sorted(variants, key=lambda one: one["runtime"] != "openvino"))
    alone(PREDICT, "blocked", tmp_path, bundle, tiny_data, tmp_path / "out", *EXPORTABLE)
    assert pl.read_csv(tmp_path / "out/predictions.csv").height == 130


def test_quantising_tells_nobody(whole_bundle: Path, tmp_path: Path) -> None:
    """OpenVINO and NNCF would report their use, OpenVINO at its import."""
    found = References.from_bytes((whole_bundle / "references.safetensors").read_bytes())
    np.save(tmp_path / "images.npy", found.prepared)
    onnx = whole_bundle / "model.onnx"
    assert alone(QUANTISE, "free", tmp_path, onnx, tmp_path / "images.npy") == ""


@pytest.mark.usefixtures("exported")
def test_8_bits(tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hounsfield.bundle.int8.MOST_CHANGE", 1.0)
    made = workflow.export(tiny_run, tmp_path / "bundle", int8=True).manifest
    assert made.quantised is not None
    assert {one.precision for one in made.variants} == {"fp32", "int8"}
    found = workflow.predict(tmp_path / "bundle", pictures(tmp_path, 3), tmp_path / "out")
    whole = workflow.predict(
        tmp_path / "bundle", tmp_path / "pictures", tmp_path / "fp32", precision="fp32"
    )
    tables = [pl.read_csv(one)["p_1"].to_numpy() for one in (found, whole)]
    assert np.abs(tables[0] - tables[1]).max() < 0.1


def pictures(folder: Path, count: int) -> Path:
    """Grey pictures of 12×12, darker and darker."""
    (folder / "pictures").mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        grey = np.clip(rng.normal(140 - 8 * i, 20, (12, 12)), 0, 255).astype(np.uint8)
        Picture.fromarray(grey).save(folder / f"pictures/{i}.png")
    return folder / "pictures"


class Listening:
    """A watch that remembers what is said."""

    def __init__(self) -> None:
        from hounsfield.progress import SILENT

        self.stage, self.said, self.told = SILENT.stage, list[str](), list[int]()

    def tell(self, what: str, done: int, of: int | None) -> None:
        if what == "predicting":
            self.told.append(done)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def test_bad_files_are_left_out_and_listed(whole_bundle: Path, tmp_path: Path) -> None:
    """The others keep their order; the ninth is cut off after its header."""
    folder = pictures(tmp_path, 40)
    whole = (folder / "8.png").read_bytes()
    watch = Listening()
    catalog = workflow.index([folder], tmp_path / "catalog").catalog
    (folder / "8.png").write_bytes(whole[: len(whole) // 2])  # it was whole when it was indexed
    workflow.predict(whole_bundle, tmp_path / "catalog", tmp_path / "out", watch=watch)
    found = pl.read_csv(tmp_path / "out/predictions.csv", schema_overrides={"image": pl.String})
    out = pl.read_csv(tmp_path / "out/left_out.csv")
    every = catalog.cases["case"].to_list()
    assert found["image"].to_list() == [case for case in every if case not in out["image"]]
    assert out.height == 1
    assert any("1 image cannot be used and is left out" in one for one in watch.said)
    assert watch.told[-1] == 40
    assert watch.told == sorted(watch.told)


def test_darker_pictures_are_marked(whole_bundle: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path, 2)
    Picture.fromarray(np.zeros((12, 12), np.uint8)).save(folder / "dark.png")
    workflow.predict(whole_bundle, folder, tmp_path / "out")
    found = pl.read_csv(tmp_path / "out/predictions.csv")
    told = dict(zip(found["image"], found["unlike"].fill_null(""), strict=True))
    assert ["median intensity 0" in one for one in told.values()].count(True) == 1


def test_the_same_as_the_run_on_files(whole_bundle: Path, tiny_run: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path, 20)
    workflow.index([folder], tmp_path / "catalog")
    for source, name in ((tiny_run.path, "run"), (whole_bundle, "bundle")):
        workflow.predict(source, tmp_path / "catalog", tmp_path / name)
    a, b = (pl.read_csv(tmp_path / name / "predictions.csv") for name in ("run", "bundle"))
    assert a.drop("p_0", "p_1").equals(b.drop("p_0", "p_1"))
    assert np.abs(a["p_1"].to_numpy() - b["p_1"].to_numpy()).max() < 1e-4


def test_nothing_readable_is_an_error(whole_bundle: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path, 2)
    workflow.index([folder], tmp_path / "catalog")
    for one in folder.iterdir():
        one.write_bytes(one.read_bytes()[:60])
    with pytest.raises(InputError, match="none of the 2 images can be used"):
        workflow.predict(whole_bundle, tmp_path / "catalog", tmp_path / "out")
    assert not (tmp_path / "out/predictions.csv").exists()


def test_predictions_are_not_overwritten(whole_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/predictions.csv").write_text("mine")
    with pytest.raises(RunError, match="predictions already"):
        workflow.predict(whole_bundle, pictures(tmp_path, 1), tmp_path / "out")


def test_a_run_has_no_precision_to_choose(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--precision is of a bundle"):
        workflow.predict(tiny_run.path, tmp_path, tmp_path / "out", precision="fp32")
