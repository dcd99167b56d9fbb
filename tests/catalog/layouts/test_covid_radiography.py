"""The COVID-19 Radiography Database: masks, spreadsheets and the older form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hounsfield.catalog.layouts import covid_radiography
from hounsfield.catalog.layouts.contract import Label
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source


def test_reads_classes_and_masks(example: Callable[[str], Path]) -> None:
    root = example("covid-radiography")
    entries = list(covid_radiography.entries(root))
    assert [e.labels[0].label for e in entries] == ["COVID", "Normal", "Normal", "Viral Pneumonia"]
    mask = Source(str(root), ("COVID/masks/COVID-1.png",))
    assert entries[0].labels[1] == Label("mask", "lung", mask=mask)
    assert len(entries[3].labels) == 1
    assert {e.known for e in entries} == {"unknown"}


def test_the_archive_may_wrap_and_the_older_form_is_flat(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    inner = tmp_path / "COVID-19 Radiography Database"
    make.touch(inner, "COVID-19/a.png", "NORMAL/b.png", "Viral Pneumonia/c.png")
    make.touch(inner, "COVID-19.metadata.xlsx")
    assert covid_radiography.recognise(tmp_path)
    (inner / "COVID-19.metadata.xlsx").unlink()
    names = [e.name for e in covid_radiography.entries(tmp_path)]
    assert names == ["COVID-19/a.png", "NORMAL/b.png", "Viral Pneumonia/c.png"]


def test_spreadsheets_tell_the_origin(
    example: Callable[[str], Path], make: SimpleNamespace
) -> None:
    root = example("covid-radiography")
    make.sheet(
        root / "Normal.metadata.xlsx",
        [
            ("FILE NAME", "FORMAT", "SIZE", "URL"),
            ("NORMAL-1", "PNG", "256*256", "https://A.org/b?c=1"),
        ],
    )
    origins = {e.name: e.columns["origin"] for e in covid_radiography.entries(root)}
    assert origins["Normal/Normal-1.png"] == "a.org"
    assert origins["Normal/Normal-2.png"] is None


def test_a_name_that_comes_twice_and_a_broken_sheet_are_refused(
    example: Callable[[str], Path], make: SimpleNamespace
) -> None:
    root = example("covid-radiography")
    make.sheet(root / "COVID.metadata.xlsx", [("FILE NAME", "URL"), ("x", "a"), ("X", "b")])
    with pytest.raises(InputError, match="row 3: this FILE NAME"):
        list(covid_radiography.entries(root))
    (root / "COVID.metadata.xlsx").write_bytes(b"no spreadsheet")
    with pytest.raises(InputError, match="the table cannot be read"):
        list(covid_radiography.entries(root))
