"""True identities stay in the link: no other file and no line of output holds them."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from folders import QUICK, Answer, dicom, table
from PIL import Image

Ask = Callable[..., Answer]
NAMES = ("MUSTERMANN", "XANTHIPPE", "GABLER", "KLINIKUM", "ACC77", "19740506", "20190203", "MRN88")
OURS = ("link.parquet", "request.json")  # its owner's alone
FACTS = {
    "PatientBirthDate": "19740506",
    "StudyDate": "20190203",
    "InstitutionName": "KLINIKUM Nord",
    "ReferringPhysicianName": "GABLER^Kurt",
    "PatientComments": "sister of XANTHIPPE MUSTERMANN",
    "PatientSex": "F",
    "PatientAge": "045Y",
}


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """24 radiographs of 24 patients whose names are in headers, folders, files and the table."""
    rng, root = np.random.default_rng(3), tmp_path / "data"
    rows = []
    for number in range(24):
        ill = number % 2
        name = f"MUSTERMANN_XANTHIPPE_MRN88{number:02d}/KLINIKUM_19740506_{number}.dcm"
        pixels = rng.normal(1000, 200, (24, 24))
        pixels[2:12, 2:12] += 900 * ill
        own = {
            "PatientName": f"MUSTERMANN^XANTHIPPE{number}",
            "PatientID": f"MRN88{number:02d}",
            "AccessionNumber": f"ACC77{number}",
            "StudyInstanceUID": f"1.2.826.1.{number}",
        }
        dicom(root / name, pixels, **own, **FACTS)
        rows.append(f"{name},{('well', 'ill')[ill]},XANTHIPPE felt {number}")
    broken = root / "MUSTERMANN_XANTHIPPE_MRN8899/KLINIKUM_broken.dcm"
    broken.parent.mkdir()
    broken.write_bytes((root / name).read_bytes()[:300])
    rows.append(f"{broken.relative_to(root)},ill,")
    return table(root, rows, header="path,label,note")


def test_nobody_is_named_by_a_run(hospital: Path, ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run, plan = out / "run", ("--data.test=0.4", "--data.val=0.2", "--data.train=0.4")
    said = [
        ask("train", hospital, "--out", run, *QUICK, *plan),
        ask("predict", run, hospital, "--out", out / "new"),
        ask("evaluate", run, "--data", hospital, "--name", "again"),
        ask("report", run),
        ask("audit", out / "run.catalog"),
        ask("info", hospital / "MUSTERMANN_XANTHIPPE_MRN8800"),
    ]
    assert [one.code for one in said] == [0] * 6, [one.said for one in said if one.code]
    for one in said[:-1]:
        assert _named(one.said) == []
    assert _named(re.sub(r"\S*\.dcm|\S*MRN8800", "", said[-1].said)) == []  # the asked path itself
    found = {path: _named(text) for path in _written(out) for text in _texts(path)}
    assert {path: names for path, names in found.items() if names} == {}
    assert {"run.json", "predictions.csv", "report.html", "cases.parquet", "rejected.csv"} <= {
        path.name for path in found
    }


def test_a_folder_s_name_is_hidden_like_a_file_s(hospital: Path, ask: Ask) -> None:
    for name in ("Anna", "19800101", "0001.dcm"):
        (hospital / "MUSTERMANN_1" / name).parent.mkdir(exist_ok=True)
        (hospital / "MUSTERMANN_1" / name).write_bytes(b"DICM" * 50)
    said = ask("info", hospital).said
    assert not re.search("MUSTERMANN|Anna|19800101", said)
    assert "name hidden, --phi shows it" in said
    assert "MUSTERMANN_1/Anna" in ask("info", hospital, "--phi").said


def test_what_names_them_is_its_owners_alone(hospital: Path, ask: Ask, tmp_path: Path) -> None:
    ask("train", hospital, "--out", tmp_path / "run", *QUICK)
    for name in OURS:
        path = tmp_path / "run.catalog" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert any(_named(text) for text in _texts(tmp_path / "run.catalog/link.parquet"))


def test_names_are_kept_where_asked(hospital: Path, ask: Ask, tmp_path: Path) -> None:
    assert ask("index", hospital, "--out", tmp_path / "cat", "--keep-ids").code == 0
    images = pl.read_parquet(tmp_path / "cat/images.parquet")
    assert "MRN8803" in images["patient"].to_list()


def _written(folder: Path) -> Iterator[Path]:
    """Every file that is anyone's to read."""
    return (path for path in folder.rglob("*") if path.is_file() and path.name not in OURS)


def _texts(path: Path) -> Iterator[str]:
    """A file's name and bytes, a table's cells, a picture's comments."""
    yield str(path)
    yield path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        yield str(pl.read_parquet(path).to_dicts()) + str(pl.read_parquet_metadata(path))
    if path.suffix == ".png":
        with Image.open(path) as picture:
            yield str(picture.info)


def _named(text: str) -> list[str]:
    return [name for name in NAMES if name.lower() in text.lower()]
