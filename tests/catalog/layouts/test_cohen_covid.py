"""Cohen's collection: hierarchical findings, CT slices, missing files, repeated rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hounsfield.catalog.layouts import cohen_covid
from hounsfield.errors import InputError


@pytest.fixture
def root(example: Callable[[str], Path]) -> Path:
    return example("cohen-covid")


def test_reads_findings_patients_and_columns(root: Path) -> None:
    todo, covid, gone, slices = cohen_covid.entries(root)
    assert covid.source.paths == ("images/b.png",)
    assert (covid.patient, covid.known) == ("2", "given")
    assert [(x.name, x.label) for x in covid.labels] == [("finding", "Pneumonia/Viral/COVID-19")]
    assert dict(covid.columns) == {
        "view": "PA",
        "modality": "X-ray",
        "RT_PCR_positive": None,
        "survival": "Y",
        "intubated": None,
        "went_icu": None,
        "sex": "M",
        "age": 65.0,
        "offset": 0.0,
    }
    assert (slices.source.paths, slices.columns["modality"]) == (("volumes/c.nii.gz",), "CT")
    assert todo.labels == ()
    assert not gone.source.file.exists()  # listed all the same: the scan sets it aside


def test_notes_places_and_dates_stay_behind(root: Path) -> None:
    told = repr(list(cohen_covid.entries(root)))
    assert "Smith" not in told
    assert "Jan" not in told


def _append(root: Path, line: str) -> None:
    with (root / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("9,0,M,65,No Finding,,PA,X-ray,,images,b.png,,", "row 6: the file of row 2"),
        ("9,0,M,old,No Finding,,PA,X-ray,,images,z.png,,", "row 6: age is 'old'"),
        ("9,0,M,65,No Finding,,PA,X-ray,,images,,,", "row 6: no filename"),
        ("9,0,M,65,No Finding,,PA,X-ray,,..,z.png,,", "outside of this folder"),
    ],
)
def test_a_bad_row_is_named(line: str, message: str, root: Path) -> None:
    _append(root, line)
    with pytest.raises(InputError) as caught:
        list(cohen_covid.entries(root))
    assert message in caught.value.problem


def test_the_same_row_twice_is_one_image(root: Path) -> None:
    _append(root, "2,0,M,65,Pneumonia/Viral/COVID-19,Y,PA,X-ray,,images,b.png,,")
    assert len(list(cohen_covid.entries(root))) == 4
