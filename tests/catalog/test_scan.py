"""The scan: what is indexed, what is set aside, what is read again, what memory it takes."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from folders import picture

from hounsfield import formats
from hounsfield.catalog import enlist, examine, findings, layouts, link, scan
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.scan import Indexed, IndexSettings, index
from hounsfield.catalog.tables import LINK_FILE, Catalog
from hounsfield.errors import FormatError, InputError, StorageError
from hounsfield.formats.contract import Facts, Header, Identity, Source
from hounsfield.geometry import Plane

HERE = IndexSettings(workers=0)


def toy_header(source: Source) -> Header:
    """A format of JSON files; it counts what it reads."""
    READ.append(source.file.name)
    try:
        told = json.loads(source.file.read_text())
    except ValueError:
        raise FormatError(f"{source.file.name} is no toy", file=source.file) from None
    if "explode" in told:
        raise KeyError(told["explode"])
    return Header(
        "toy",
        (1, 1, 3, 4),
        np.dtype(np.uint16),
        Plane((0.5, 0.8)),
        modality="CR",
        identity=Identity(told.get("patient"), told.get("study")),
        facts=Facts(sex=told.get("sex"), age=told.get("age"), view="PA"),
    )


READ: list[str] = []


class ToyLayout:
    """Files below the root, as `labels.json` describes them where it is there."""

    TITLE = LICENCE = GET = "toy"
    TRUST_HEADER_PATIENT = True

    @staticmethod
    def recognise(root: Path) -> bool:
        return True

    @staticmethod
    def entries(root: Path) -> Iterator[Entry]:
        table = root / "labels.json"
        more = json.loads(table.read_text()) if table.exists() else {}
        for path in sorted(root.rglob("*.ima")):
            name = path.relative_to(root).as_posix()
            yield Entry(Source(str(root), (name,)), name.removesuffix(".ima"), **more.get(name, {}))
        for name in more.get("missing", []):
            yield Entry(Source(str(root), (name,)), name)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> type[ToyLayout]:
    READ.clear()
    monkeypatch.setattr(formats, "header", toy_header)
    monkeypatch.setattr(layouts, "load", lambda name: ToyLayout)
    monkeypatch.setattr(layouts, "recognise", lambda root: "toys")
    monkeypatch.setattr(ToyLayout, "TRUST_HEADER_PATIENT", True)
    return ToyLayout


def fill(folder: Path, files: dict[str, dict[str, object] | str]) -> Path:
    for name, told in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told if isinstance(told, str) else json.dumps(told))
    return folder


def kinds(made: Indexed) -> set[str]:
    return {finding.kind for finding in made.findings}


def test_tables_say_what_files_and_layout_say(toy, tmp_path) -> None:
    root = fill(
        tmp_path / "in",
        {
            "1.ima": {"patient": "P 1", "study": "1.2.3.4", "sex": "F", "age": 31.0},
            "2.ima": {"patient": "P 1", "sex": "M"},
            "anna.ima": {},
            "labels.json": {
                "1.ima": {
                    "columns": {"Patient Sex": "male", "Age": "061Y", "smoker": "yes", "bmi": 22.5}
                },
                "2.ima": {"patient": "other", "known": "mapped", "part": "test"},
            },
        },
    )
    made = index([root], tmp_path / "out", HERE)
    images = made.catalog.images
    assert images["image"].to_list()[:2] == ["1", "2"]
    assert images["image"][2].startswith("im-")
    assert len(images["image"][2]) == 15
    assert images["patient_known"].to_list() == ["given", "mapped", "unknown"]
    assert images["patient"].str.contains(r"^pt-[0-9a-f]{12}$").all()
    assert images["study"][0].startswith("st-")
    assert images["study"][1] is None
    assert images["sex"].to_list() == ["M", "M", None]
    assert images["age"].to_list() == [61.0, None, None]
    assert images["spacing"].to_list() == [[0.5, 0.8]] * 3
    assert images.select("channels", "depth", "height", "width").row(0) == (1, 1, 3, 4)
    cases = made.catalog.cases
    assert cases["smoker"].to_list() == ["yes", None, None]
    assert cases["bmi"].to_list() == [22.5, None, None]
    assert cases["part"].to_list() == [None, "test", None]
    assert cases["inputs"][0].to_list() == [{"channel": "image", "image": "1"}]
    loaded = Catalog.load(tmp_path / "out")
    assert loaded.images.equals(images)
    assert [source.file for source in loaded.sources(["2", "1"])] == [
        root / "2.ima",
        root / "1.ima",
    ]


def test_a_second_run_reads_only_what_changed(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {f"{n}.ima": {"patient": f"p{n // 2}"} for n in range(10)})
    first = index([root], tmp_path / "out", HERE)
    assert (first.read, first.unchanged) == (10, 0)
    READ.clear()
    second = index([root], tmp_path / "out", HERE)
    assert (second.read, second.unchanged, READ) == (0, 10, [])
    assert second.catalog.images.equals(first.catalog.images)
    assert second.catalog.cases.equals(first.catalog.cases)
    fill(root, {"3.ima": {"patient": "somebody else", "age": 40}})
    (root / "5.ima").unlink()
    third = index([root], tmp_path / "out", HERE)
    assert (third.read, third.unchanged, READ) == (1, 8, ["3.ima"])
    assert "5" not in third.catalog.images["image"].to_list()
    assert third.catalog.images.filter(image="3")["age"].item() == 40
    # what a layout says is never kept from before
    fill(root, {"labels.json": {"1.ima": {"patient": "m", "known": "mapped"}}})
    fourth = index([root], tmp_path / "out", HERE)
    assert fourth.read == 0
    assert fourth.catalog.images.filter(image="1")["patient_known"].item() == "mapped"


def test_an_interrupted_index_goes_on_where_it_stopped(toy, tmp_path, monkeypatch) -> None:
    root = fill(tmp_path / "in", {f"{n:03}.ima": {} for n in range(150)})
    settings = {"stop": True}

    def interrupted(source: Source) -> Header:
        if source.file.name == "130.ima" and settings["stop"]:
            raise KeyboardInterrupt
        return toy_header(source)

    monkeypatch.setattr(formats, "header", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index([root], tmp_path / "out", HERE)
    with pytest.raises(InputError, match="a table of the catalog is missing"):
        Catalog.load(tmp_path / "out")
    settings["stop"] = False
    made = index([root], tmp_path / "out", HERE)
    assert made.unchanged >= 100
    assert made.catalog.images.height == 150
    assert not (tmp_path / "out" / link.PARTS).exists()


def test_bad_files_are_set_aside_with_the_reason(toy, tmp_path) -> None:
    root = fill(
        tmp_path / "in",
        {
            "1.ima": {},
            "2.ima": "{",
            "Erika Mustermann/3.ima": "no",
            "4.ima": {"explode": "Erika"},
            "labels.json": {"missing": ["9.ima"]},
        },
    )
    made = index([root], tmp_path / "out", HERE)
    assert made.catalog.images["image"].to_list() == ["1"]
    table = pl.read_csv(tmp_path / "out" / "rejected.csv")
    assert table.equals(made.rejected)
    files = table["file"].to_list()
    assert files[0] == "2.ima"
    assert files[2].startswith("dir-")
    assert files[2].endswith("/3.ima")
    assert table["reason"].to_list() == [
        "… is no toy",
        "the file cannot be read as an image (KeyError)",
        "… is no toy",
        "there is no such file",
    ]
    assert "Erika" not in str(made.rejected)
    assert "rejected" in kinds(made)
    # its owner finds it by the link
    assert made.catalog.sources([files[2]])[0].file == root / "Erika Mustermann" / "3.ima"
    # and what is bad is looked at again, for the remedy may lie outside of the file
    READ.clear()
    index([root], tmp_path / "out", HERE)
    assert sorted(READ) == ["2.ima", "3.ima", "4.ima"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no such folder"),
        ({}, "the folder is empty"),
        ({"readme.txt": "nothing"}, "there is no image"),
        ({"1.ima": "{", "2.ima": "{"}, r"none of the 2 images can be used \(2 × … is no toy\)"),
    ],
)
def test_nothing_to_index_is_refused_and_nothing_written(toy, tmp_path, files, message) -> None:
    if files is not None:
        (tmp_path / "in").mkdir()
        fill(tmp_path / "in", files)
    with pytest.raises(InputError, match=message) as refused:
        index([tmp_path / "in"], tmp_path / "out", HERE)
    assert refused.value.remedy
    assert not (tmp_path / "out").exists()


def _shut(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Folders of this name cannot be listed, as by a user who is not root."""
    open_folder = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return open_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_is_named(toy, tmp_path, monkeypatch) -> None:
    root = fill(tmp_path / "in", {"1.ima": {}, "shut/2.ima": {}})
    _shut(monkeypatch, "shut")
    made = index([root], tmp_path / "out", HERE)
    (reason,) = made.rejected["reason"].to_list()
    assert reason == "the folder cannot be listed (Permission denied)"


@pytest.mark.parametrize("shut", ["ill", "test"])
def test_so_is_one_within_a_layout(tmp_path, monkeypatch, shut) -> None:
    for number in range(12):
        part, label = ("train", "test")[number % 2], ("well", "ill", "odd")[number % 3]
        picture(tmp_path / "in" / part / label / f"{number}.png")
    _shut(monkeypatch, shut)
    made = index([tmp_path / "in"], tmp_path / "out", HERE)
    assert made.catalog.images.height == {"ill": 8, "test": 6}[shut]
    assert set(made.rejected["reason"]) == {"the folder cannot be listed (Permission denied)"}


def test_links_that_lead_back_and_empty_classes_are_told(tmp_path) -> None:
    for number in range(4):
        picture(tmp_path / "in" / ("ill", "well")[number % 2] / f"{number}.png")
    for number in range(4, 6):
        picture(tmp_path / "elsewhere" / f"{number}.png")
    (tmp_path / "in/ill/loop").symlink_to("../..")
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/odd").mkdir()
    made = index([tmp_path / "in"], tmp_path / "out", IndexSettings(workers=0, keep_ids=True))
    assert made.catalog.images.height == 6
    assert dict(made.rejected.iter_rows()) == dict.fromkeys(
        ("ill/loop", "linked/back"), "a link to a folder above it is not followed"
    )
    told = [one.text for one in made.findings if one.severity == "warning"]
    assert told == [
        "2 files were set aside: a link to a folder above it is not followed; "
        f"{tmp_path / 'out' / 'rejected.csv'} lists each",
        "class folder odd has no images",
    ]


def test_the_commonest_reason_is_told(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"1.ima": {}, "labels.json": {"missing": ["2.ima", "3.ima"]}})
    (root / "4.ima").write_text("{")
    (told,) = [
        one for one in index([root], tmp_path / "out", HERE).findings if one.kind == "rejected"
    ]
    assert told.text.startswith("3 files were set aside: 2 × there is no such file, and others; ")
    assert "info FOLDER --phi" in told.remedy  # names are hidden in the table
    assert "--keep-ids" in told.remedy
    kept = index([root], tmp_path / "kept", HERE.model_copy(update={"keep_ids": True}))
    assert not any("--keep-ids" in one.remedy for one in kept.findings if one.kind == "rejected")


def test_one_name_for_two_images_of_a_data_set(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"1.ima": {}, "labels.json": {"missing": ["1"]}})
    (root / "1").write_text("{}")
    made = index([root], tmp_path / "out", HERE)
    assert made.catalog.images.height == 1
    assert made.rejected["reason"].to_list() == ["another image of this data set has the same name"]


def test_several_sources_keep_their_names_and_ids_apart(toy, tmp_path) -> None:
    one = fill(tmp_path / "hospital_a", {"1.ima": {"patient": "P1"}, "2.ima": {}, "x.ima": {}})
    two = fill(tmp_path / "Dr Mustermann", {"1.ima": {"patient": "P1"}, "3.ima": {}, "x.ima": {}})
    made = index([one, two], tmp_path / "out", HERE)
    images = made.catalog.images
    assert images["source"].to_list() == ["hospital_a"] * 3 + ["toys"] * 3
    ids = images["image"].to_list()
    assert ids[:2] == ["1", "2"]
    assert ids[3:5] == ["toys:1", "3"]
    assert ids[5] == f"toys:{ids[2]}"
    assert images["patient"][0] == images["patient"][3]  # one hospital's patient in two folders
    assert images["patient"].n_unique() == 5
    named = index([one, two], tmp_path / "new", HERE.model_copy(update={"sources": ("a", "a")}))
    assert named.catalog.images["source"].unique(maintain_order=True).to_list() == ["a", "a-2"]


def test_guessed_patients_are_one_only_within_their_layout(toy, tmp_path, monkeypatch) -> None:
    told = {"labels.json": {"1.ima": {"patient": "23", "known": "guessed"}}, "1.ima": {}}
    one, two = fill(tmp_path / "a", told), fill(tmp_path / "b", told)
    places = [enlist.Place(one, "x", "a"), enlist.Place(two, "y", "b")]
    monkeypatch.setattr(scan, "places", lambda *_: places)
    made = index([one, two], tmp_path / "out", HERE)
    assert made.catalog.images["patient"].n_unique() == 2
    assert "patients-guessed" in kinds(made)


@pytest.mark.parametrize("blank", ["", "  ", "ANONYMOUS", "0000", "Unknown", "^"])
def test_a_patient_id_that_names_nobody_is_unknown(toy, tmp_path, blank) -> None:
    root = fill(tmp_path / "in", {f"{n}.ima": {"patient": blank} for n in range(3)})
    made = index([root], tmp_path / "out", HERE)
    assert made.catalog.images["patient_known"].to_list() == ["unknown"] * 3
    assert made.catalog.images["patient"].n_unique() == 3
    assert "patients-unknown" in kinds(made)


def test_one_patient_id_for_many_studies_is_unknown(toy, tmp_path) -> None:
    told = {f"{n}.ima": {"patient": "TRIAL", "study": f"1.2.3.{n}"} for n in range(25)}
    made = index([fill(tmp_path / "in", told)], tmp_path / "out", HERE)
    assert set(made.catalog.images["patient_known"]) == {"unknown"}
    assert "one-patient-id" in kinds(made)
    told = {f"{n}.ima": {"patient": "P", "study": "1.2.3"} for n in range(25)}  # one CT series
    made = index([fill(tmp_path / "ct", told)], tmp_path / "out2", HERE)
    assert set(made.catalog.images["patient_known"]) == {"given"}


def test_a_layout_whose_header_names_images_is_believed(toy, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ToyLayout, "TRUST_HEADER_PATIENT", False)
    name = "0004cfab-14fd-4e49-80ba-63a80b6bddd6"
    root = fill(tmp_path / "in", {f"{name}.ima": {"patient": name}, "2.ima": {"patient": "2"}})
    made = index([root], tmp_path / "out", HERE)
    assert made.catalog.images["patient_known"].to_list() == ["unknown"] * 2
    assert name in made.catalog.images["image"].to_list()


def test_a_name_that_holds_the_patients_number_is_no_plain_name(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"0007_1.ima": {"patient": "7"}, "8.ima": {"patient": "7"}})
    made = index([root], tmp_path / "out", HERE)
    assert made.catalog.images["image"][0].startswith("im-")
    assert made.catalog.images["image"][1] == "8"


def test_images_of_one_case_and_their_labels(toy, tmp_path, monkeypatch) -> None:
    def entries(root: Path) -> Iterator[Entry]:
        ill = Label("class", "diagnosis", "ill")
        box = Label("box", "mass", "mass", box=(1.0, 2.0, 3.0, 4.0))
        mask = Label("mask", "lung", mask=Source(str(root), ("2.ima",)))
        gone = Label("mask", "lung", mask=Source(str(root), ("gone.ima",)))
        for name, channel, labels in (("1", "PA", (ill, box)), ("2", "LL", (ill, mask, gone))):
            source = Source(str(root), (f"{name}.ima",))
            yield Entry(source, name, "p", "given", labels, case="7", channel=channel)

    monkeypatch.setattr(ToyLayout, "entries", staticmethod(entries))
    root = fill(tmp_path / "in", {"1.ima": {}, "2.ima": {"sex": "F"}})
    catalog = index([root], tmp_path / "out", HERE).catalog
    (case,) = catalog.cases.to_dicts()
    assert case["case"] == "7"
    assert [one["channel"] for one in case["inputs"]] == ["PA", "LL"]
    assert case["sex"] == "F"
    assert catalog.annotations["kind"].to_list() == ["class", "box", "mask"]
    assert catalog.annotations["box"][1].to_list() == [1.0, 2.0, 3.0, 4.0]
    (mask,) = catalog.sources([catalog.annotations["mask"][2]])
    assert mask.file == root / "2.ima"
    rejected = pl.read_csv(tmp_path / "out" / "rejected.csv")
    assert rejected["reason"].to_list() == ["mask: there is no such file"]


def test_images_of_two_patients_in_one_case_stop(toy, tmp_path) -> None:
    told = {"1.ima": {"patient": "a"}, "2.ima": {"patient": "b"}}
    more = {"labels.json": {"1.ima": {"case": "7"}, "2.ima": {"case": "7"}}}
    made = index([fill(tmp_path / "in", {**told, **more})], tmp_path / "out", HERE)
    (found,) = [one for one in made.findings if one.kind == "case-of-several-patients"]
    assert (found.severity, found.groups) == ("stop", (("7",),))


@pytest.mark.parametrize("suffix", [".yaml", ".csv"])
def test_labels_get_the_names_of_the_label_map(toy, tmp_path, monkeypatch, suffix) -> None:
    def entries(root: Path) -> Iterator[Entry]:
        for name in ("1", "2", "3"):
            label = Label("class", "c", {"1": "PNEUMONIA", "2": "NORMAL", "3": "blurred"}[name])
            yield Entry(Source(str(root), (f"{name}.ima",)), name, labels=(label,))

    monkeypatch.setattr(ToyLayout, "entries", staticmethod(entries))
    folders = [fill(tmp_path / d, {f"{n}.ima": {} for n in "123"}) for d in ("hospital_a", "b")]
    pairs = {"PNEUMONIA": "ill", "b/PNEUMONIA": "very ill", "blurred": "", "typo": "x"}
    path = tmp_path / f"map{suffix}"
    lines = [f"{old},{new}" for old, new in pairs.items()]
    path.write_text(json.dumps(pairs) if suffix == ".yaml" else "\n".join(["old,new", *lines]))
    made = index(folders, tmp_path / "out", HERE.model_copy(update={"label_map": path}))
    labels = made.catalog.annotations["label"].to_list()
    assert labels == ["ill", "NORMAL", "very ill", "NORMAL"]
    (found,) = [one for one in made.findings if one.kind == "label-map"]
    assert "typo" in found.text
    path.write_text("no map")
    with pytest.raises(InputError, match="the label map cannot be read"):
        index(folders, tmp_path / "out", HERE.model_copy(update={"label_map": path}))


def test_columns_that_identify_are_left_out(toy, tmp_path) -> None:
    columns = {
        "PatientName": "Erika",
        "birthDate": "1950",
        "study_date": "x",
        "address": "y",
        "remark": "seen by her doctor, Dr. Mustermann, on a rainy day",
        "when": "12.08.1964",
        "smoker": "no",
    }
    more = {"labels.json": {"1.ima": {"columns": columns}}, "1.ima": {}}
    made = index([fill(tmp_path / "in", more)], tmp_path / "out", HERE)
    assert made.catalog.cases.columns[-1] == "smoker"
    (found,) = [one for one in made.findings if one.kind == "columns-dropped"]
    assert found.text.startswith("6 columns")
    kept = index([tmp_path / "in"], tmp_path / "kept", HERE.model_copy(update={"keep_ids": True}))
    assert kept.catalog.cases.select(*columns).row(0) == tuple(columns.values())
    assert "columns-dropped" not in kinds(kept)


def test_keep_ids_keeps_them(toy, tmp_path) -> None:
    told = {"anna.ima": {"patient": "P1", "study": "1.2.3"}}
    root = fill(tmp_path / "in", told)
    made = index([root], tmp_path / "out", HERE.model_copy(update={"keep_ids": True}))
    row = made.catalog.images.row(0, named=True)
    assert (row["image"], row["patient"], row["study"]) == ("anna", "P1", "1.2.3")
    again = index([root], tmp_path / "out", HERE)
    assert again.read == 0
    assert again.catalog.images["patient"][0].startswith("pt-")


def test_one_catalog_keeps_its_key(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"anna.ima": {"patient": "P1"}})
    first = index([root], tmp_path / "out", HERE).catalog.images
    assert index([root], tmp_path / "out", HERE).catalog.images.equals(first)
    other = index([root], tmp_path / "other", HERE).catalog.images
    assert other["patient"][0] != first["patient"][0]
    assert other["image"][0] != first["image"][0]


def test_a_damaged_link_is_not_overwritten(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"1.ima": {}})
    index([root], tmp_path / "out", HERE)
    (tmp_path / "out" / LINK_FILE).write_bytes(b"PAR1 damaged")
    with pytest.raises(InputError, match="link cannot be read"):
        index([root], tmp_path / "out", HERE)
    assert (tmp_path / "out" / LINK_FILE).read_bytes() == b"PAR1 damaged"


def test_a_folder_that_cannot_be_written_is_told(toy, tmp_path) -> None:
    root = fill(tmp_path / "in", {"1.ima": {}})
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        index([root], tmp_path / "out", HERE)


def test_memory_stays_that_of_the_tables(toy, tmp_path, monkeypatch) -> None:
    """Python's own memory does not grow with the number of images (the tables are outside)."""
    fill(tmp_path / "in", {"1.ima": {}})

    def entries_of(count: int) -> None:
        def entries(root: Path) -> Iterator[Entry]:
            for n in range(count):
                yield Entry(Source(str(root), ("1.ima",), str(n)), str(n), columns={"a": float(n)})

        monkeypatch.setattr(ToyLayout, "entries", staticmethod(entries))

    monkeypatch.setattr(enlist, "CHUNK", 250)
    monkeypatch.setattr(examine, "CHUNK", 250)
    monkeypatch.setattr(formats, "header", lambda source: HEADER)
    peaks = {}
    for count in (500, 20_000):
        entries_of(count)
        places = enlist.places([tmp_path / "in"], None)
        tracemalloc.start()
        listed = enlist.enlist(places, lambda done: None)
        assert listed.entries.height == count
        todo = listed.entries.head(5_000)
        assert sum(frame.height for frame in examine.examine(todo, 0)) == todo.height
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[20_000] < 4 * peaks[500], peaks


HEADER = Header("toy", (1, 1, 3, 4), np.dtype(np.uint8))


def test_our_own_output_in_the_data_set_hides_no_class(tmp_path) -> None:
    for name in (
        *("NORMAL/1.png", "NORMAL/2.png", "PNEUMONIA/3.png", "PNEUMONIA/4.png"),
        *("run/figures/raw.png", "run/evaluations/roc.png"),
    ):
        picture(tmp_path / name)
    (tmp_path / "run" / "run.json").write_text("{}")
    for name in ("run.catalog/request.json", "run.catalog/cache/pack", "old/.index/000001.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert layouts.recognise(tmp_path) == "class-folders"
    first = index([tmp_path], tmp_path / "catalog", HERE)
    again = index([tmp_path], tmp_path / "catalog", HERE)
    for made in (first, again, index([tmp_path], tmp_path / "b", IndexSettings(layout="files"))):
        assert made.catalog.images.height == 4
        assert made.rejected.is_empty()
    assert again.catalog.annotations["label"].to_list() == ["NORMAL"] * 2 + ["PNEUMONIA"] * 2


def test_a_catalog_is_not_written_among_the_images(tmp_path) -> None:
    picture(tmp_path / "NORMAL" / "1.png")
    with pytest.raises(InputError, match="into the folder that is indexed"):
        index([tmp_path], tmp_path / "NORMAL" / "..", HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["NORMAL"]


def test_arrays_with_a_slash_in_their_names(tmp_path) -> None:
    arrays = {f"slice/{i}": np.full((4, 5), i, np.uint8) for i in range(3)}
    np.savez(tmp_path / "set.npz", **arrays)
    made = index([tmp_path / "set.npz"], tmp_path / "out", HERE)
    assert made.catalog.images["height"].to_list() == [4, 4, 4]
    assert made.catalog.images["hash"].n_unique() == 3
    assert made.rejected.is_empty()


@pytest.mark.parametrize(
    ("layout", "columns", "sex", "age"),
    [
        ("table", ("file", "sex", "age"), "weiblich", "> 89"),
        ("cohen-covid", ("filename", "sex", "age", "patientid", "finding"), "female", "61"),
    ],
)
def test_words_of_a_table_for_sex_and_age(layout, columns, sex, age, tmp_path) -> None:
    picture(tmp_path / "in" / "images" / "1.png")
    cells = ["1.png" if layout == "cohen-covid" else "images/1.png", sex, age, "7", "none"]
    lines = (",".join(columns), ",".join(cells[: len(columns)]))
    (tmp_path / "in" / "metadata.csv").write_text("\n".join(lines))
    made = index([tmp_path / "in"], tmp_path / "out", IndexSettings(workers=0, layout=layout))
    assert made.catalog.cases["sex"].to_list() == ["F"]
    assert made.catalog.cases["age"].to_list() == [float(age.strip("> "))]


def test_damaged_findings_are_named(tmp_path) -> None:
    (tmp_path / findings.FINDINGS_FILE).write_text('[{"kind": ')
    with pytest.raises(InputError, match="findings of the index cannot be read"):
        findings.load(tmp_path)
