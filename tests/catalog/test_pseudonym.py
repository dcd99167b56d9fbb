"""Pseudonyms: keyed, stable, and only for names that may be a person's."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.catalog.pseudonym import PLACES, Pseudonyms, holds, looks_identifying, plain

KEY = bytes(range(16))


@pytest.mark.parametrize(
    "name",
    [
        "17",
        "train/17",
        "train_images/17",
        "0004cfab-14fd-4e49-80ba-63a80b6bddd6",
        "1.2.840.113619.2.176.2025",
        "d41d8cd98f00b204e9800998ecf8427e",
        "IM-0115-0001",
        "img_003.png",
        "00000013_005.png",
        "IM0001.dcm",
        "scan.nii.gz",
    ],
)
def test_plain_names_stay(name: str) -> None:
    assert plain(name)
    assert Pseudonyms(KEY).named("im", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Erika",
        "MUSTERMANN^ERIKA",
        "train/erika",
        "person23_bacteria_78",
        "1964-08-12",
        "19640812",
        "12.08.1964",
        "image 7 of mueller",
        "abbadeed",
        "müller",
        "１２３x",
        "",
        "-",
        "erika.dcm",
        ".dcm",
    ],
)
def test_other_names_do_not(name: str) -> None:
    assert not plain(name)
    assert Pseudonyms(KEY).named("im", name).startswith("im-")
    assert Pseudonyms(KEY, keep=True).named("im", name) == name


def test_folders_may_have_more_words() -> None:
    assert plain("hospital_b", PLACES)
    assert plain("covid19-chest-xray", PLACES)
    assert not plain("hospital_mustermann", PLACES)


def test_a_pseudonym_is_the_head_of_an_hmac() -> None:
    digest = hmac.new(KEY, b"pt\0\0P1", hashlib.sha256).hexdigest()
    assert Pseudonyms(KEY).of("pt", "", "P1") == f"pt-{digest[:12]}"


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_pseudonyms_tell_names_apart_and_need_the_key(one: str, other: str) -> None:
    names = Pseudonyms(KEY)
    assert (names.of("pt", one) == names.of("pt", other)) == (one == other)
    assert Pseudonyms(KEY[::-1]).of("pt", one) != names.of("pt", one)
    assert names.of("pt", one, other) != names.of("pt", one + other)
    assert Pseudonyms().key != Pseudonyms().key
    assert KEY.hex() not in repr(names)


@pytest.mark.parametrize(
    ("name", "identity", "held"),
    [
        ("00000013_005", "13", True),
        ("train/7", "007", True),
        ("train/17", "7", False),
        ("P-1 X", "p-1 x", True),
        ("17", None, False),
        ("17", "", False),
    ],
)
def test_a_name_holds_an_identity(name: str, identity: str | None, held: bool) -> None:
    assert holds(name, identity) is held


@pytest.mark.parametrize(
    ("column", "identifies"),
    [
        ("PatientName", True),
        ("patient_id", True),
        ("patientid", True),
        ("birthDate", True),
        ("Study Date", True),
        ("home-address", True),
        ("clinical_notes", True),
        ("smoker", False),
        ("identical", False),
        ("update", False),
        ("bmi", False),
    ],
)
def test_columns_that_identify(column: str, identifies: bool) -> None:
    assert looks_identifying(column) is identifies


def test_paths_keep_what_is_plain() -> None:
    names = Pseudonyms(KEY)
    path = names.path("train/Erika Mustermann/IM-0001.dcm")
    assert path.startswith("train/dir-")
    assert path.endswith("/IM-0001.dcm")
    assert names.path("erika.nii.gz").startswith("im-")
    assert names.path("erika.nii.gz").endswith(".nii.gz")
    assert names.path("erika.mustermann").startswith("im-")
    assert "mustermann" not in names.path("erika.mustermann")
