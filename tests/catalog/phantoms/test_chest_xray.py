"""The chest phantom: true to its layout, its seed, its anatomy and its planted faults."""

from __future__ import annotations

import csv
import filecmp
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydantic import ValidationError

from hounsfield.catalog.phantoms import PHANTOMS, load
from hounsfield.catalog.phantoms.chest_case import SHORTCUT_WORD, draw_case
from hounsfield.catalog.phantoms.chest_findings import Findings
from hounsfield.catalog.phantoms.chest_organs import heart, organs
from hounsfield.catalog.phantoms.chest_render import lung_mask, render
from hounsfield.catalog.phantoms.chest_scanner import SCANNERS
from hounsfield.catalog.phantoms.chest_xray import Settings, make
from hounsfield.errors import InputError, StorageError, UsageError

TABLES = {
    "stage_2_train_labels.csv",
    "stage_2_detailed_class_info.csv",
    "pneumonia-challenge-dataset-mappings_2018.json",
}
SMALL = Settings(patients=5, size=128, seed=3)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def exposures(count: int, **settings: object):
    drawn = Settings(size=256, seed=11, images_per_patient=1, **settings)  # type: ignore[arg-type]
    return [draw_case(patient, drawn)[1][0].exposure for patient in range(count)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "plain"
    make(out, SMALL.model_copy(update={"workers": 1}))
    return out


def test_every_phantom_keeps_the_contract() -> None:
    for name in PHANTOMS:
        module = load(name)
        assert callable(module.make)
        assert module.Settings.model_config["frozen"]
        assert all(field.description for field in module.Settings.model_fields.values())


def test_a_misspelt_phantom_is_told_the_right_name() -> None:
    with pytest.raises(UsageError, match="chest-xray"):
        load("chest-xay")


def test_a_misspelt_or_impossible_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Settings(patient=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Settings(size=100)
    with pytest.raises(InputError, match="leak"):
        make(tmp_path / "x", Settings(patients=2, leak=3, size=64))
    assert not any(tmp_path.iterdir())


def test_the_same_bytes_for_any_number_of_workers(plain: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    summary = make(
        tmp_path / "two",
        SMALL.model_copy(update={"workers": 2}),
        lambda done, total: calls.append((done, total)),
    )
    assert files(plain) == files(tmp_path / "two")
    same, different, broken = filecmp.cmpfiles(plain, tmp_path / "two", files(plain), shallow=False)
    assert len(same) == summary.images + len(TABLES)
    assert not different
    assert not broken
    assert calls == [(k, 5) for k in range(1, 6)]


def test_another_seed_gives_other_pictures(plain: Path) -> None:
    shot = draw_case(0, SMALL)[1][0]
    other = draw_case(0, SMALL.model_copy(update={"seed": 4}))[1][0]
    assert shot.image_id != other.image_id
    assert not np.array_equal(render(shot.exposure).pixels, render(other.exposure).pixels)


def test_nothing_beyond_the_layout(plain: Path) -> None:
    names = files(plain)
    pictures = [name for name in names if name.startswith("stage_2_train_images/")]
    assert set(names) - set(pictures) == TABLES
    assert all(name.endswith(".dcm") for name in pictures)
    assert [p.name for p in plain.parent.iterdir()] == ["plain"]


def test_tables_name_every_picture(plain: Path) -> None:
    ids = {path.stem for path in (plain / "stage_2_train_images").iterdir()}
    labels = table(plain / "stage_2_train_labels.csv")
    assert list(labels[0]) == ["patientId", "x", "y", "width", "height", "Target"]
    classes = {
        row["patientId"]: row["class"] for row in table(plain / "stage_2_detailed_class_info.csv")
    }
    mapping = json.loads((plain / "pneumonia-challenge-dataset-mappings_2018.json").read_text())
    assert {row["patientId"] for row in labels} == ids == set(classes)
    assert {entry["subset_img_id"] for entry in mapping} == ids
    assert len({entry["img_id"].split("_")[0] for entry in mapping}) == SMALL.patients
    for row in labels:
        box = [row[name] for name in ("x", "y", "width", "height")]
        assert (row["Target"] == "1") == all(box) == any(box)
        assert (row["Target"] == "1") == (classes[row["patientId"]] == "Lung Opacity")
        if row["Target"] == "1":
            x, y, width, height = map(float, box)
            assert min(width, height) > 4
            assert 0 <= x < x + width <= SMALL.size
            assert 0 <= y < y + height <= SMALL.size


def test_dicom_says_what_was_drawn(plain: Path) -> None:
    mapping = {
        entry["subset_img_id"]: entry
        for entry in json.loads(
            (plain / "pneumonia-challenge-dataset-mappings_2018.json").read_text()
        )
    }
    for patient in range(SMALL.patients):
        person, shots = draw_case(patient, SMALL)
        for shot in shots:
            dataset = pydicom.dcmread(plain / "stage_2_train_images" / f"{shot.image_id}.dcm")
            scanner = SCANNERS[shot.exposure.scanner]
            projection = shot.exposure.pose.projection
            assert str(dataset.PatientName) == person.name
            assert dataset.PatientID == person.hospital_id
            assert dataset.PatientBirthDate == person.born.strftime("%Y%m%d")
            assert dataset.PatientSex == ("M" if person.male else "F")
            assert dataset.ViewPosition == ("AP" if scanner.portable else "PA")
            assert (dataset.Manufacturer, dataset.Modality) == (scanner.maker, "CR")
            assert dataset.PhotometricInterpretation == f"MONOCHROME{1 if shot.inverted else 2}"
            assert (dataset.BitsAllocated, dataset.BitsStored) == (16, 12)
            spacing = projection.field / projection.size
            assert float(dataset.ImagerPixelSpacing[0]) == pytest.approx(spacing, abs=1e-6)
            assert dataset.file_meta.TransferSyntaxUID.is_little_endian
            entry = mapping[shot.image_id]
            assert dataset.SOPInstanceUID == entry["SOPInstanceUID"]
            assert dataset.file_meta.MediaStorageSOPInstanceUID == entry["SOPInstanceUID"]
            assert dataset.StudyInstanceUID == entry["StudyInstanceUID"]
            assert int(entry["img_id"].split("_")[0]) == person.number
            assert dataset.pixel_array.dtype == np.uint16
            assert dataset.pixel_array.max() <= 4095


def test_monochrome1_and_rle_keep_the_picture(plain: Path, tmp_path: Path) -> None:
    one = SMALL.model_copy(update={"patients": 1, "workers": 1})
    for name, changes in (
        ("two", {"monochrome1": 0.0}),
        ("one", {"monochrome1": 1.0}),
        ("rle", {"monochrome1": 0.0, "compress": "rle"}),
    ):
        make(tmp_path / name, one.model_copy(update=changes))
    for path in (tmp_path / "two" / "stage_2_train_images").iterdir():
        two = pydicom.dcmread(path)
        inverted = pydicom.dcmread(tmp_path / "one" / "stage_2_train_images" / path.name)
        packed = pydicom.dcmread(tmp_path / "rle" / "stage_2_train_images" / path.name)
        assert inverted.PhotometricInterpretation == "MONOCHROME1"
        np.testing.assert_array_equal(4095 - inverted.pixel_array, two.pixel_array)
        assert 4095 - float(inverted.WindowCenter) == pytest.approx(float(two.WindowCenter), abs=1)
        assert packed.file_meta.TransferSyntaxUID.is_compressed
        np.testing.assert_array_equal(packed.pixel_array, two.pixel_array)


def test_boxes_hold_what_pneumonia_adds() -> None:
    for exposure in exposures(8, prevalence=1.0):
        still = replace(exposure, markers=())
        # Without scatter and processing the change would be the fluid alone; as both spread it
        # thinly over the picture, the strong change is looked at.
        strong = tuple(replace(o, filled=max(o.filled, 0.3)) for o in exposure.findings.opacities)
        still = replace(still, findings=replace(exposure.findings, opacities=strong))
        with_, without = render(still), render(still, opacities=False)
        change = with_.pixels.astype(float) - without.pixels
        inside = np.zeros(change.shape, bool)
        for x, y, width, height in with_.boxes:
            inside[y : y + height, x : x + width] = True
        assert len(with_.boxes) == len(strong)
        assert not without.boxes
        assert change[inside].mean() > 4 * abs(change[~inside].mean()) > 0
        largest = change > 0.35 * np.percentile(change, 99.9)
        assert (largest & inside).sum() > 0.97 * largest.sum()
        assert inside.mean() < 0.6


def test_a_body_with_a_left_and_a_right() -> None:
    for exposure in exposures(6, prevalence=0.0):
        thorax, pose = exposure.thorax, exposure.pose
        projection = replace(pose.projection, turn=0.0, tilt=0.0, shift=(0.0, 0.0))
        straight = replace(pose, projection=projection)
        x, _ = projection.plane(0.0)
        left_pixels = sum(
            float(b.centre[0] * b.axes[0] * b.axes[1]) for b in heart(thorax, straight)
        )
        assert left_pixels > 0  # the heart lies to the patient's left, the picture's right
        body = organs(thorax, straight)
        assert (body.lungs[0] * x).sum() < 0 < (body.lungs[1] * x).sum()
        assert body.lungs[0].sum() > body.lungs[1].sum()  # the heart takes room on the left
        if body.gas.any():
            assert (body.gas * x).sum() > 0
        mask = lung_mask(replace(exposure, pose=straight))
        lowest = [np.flatnonzero((mask == side).any(axis=1))[-1] for side in (1, 2)]
        middle = [np.median(np.flatnonzero((mask == side).any(axis=0))) for side in (1, 2)]
        assert middle[0] < 128 < middle[1]
        assert min(lowest) > 128


def test_lungs_are_dark_and_bone_is_bright() -> None:
    for drawn in exposures(5, prevalence=0.0):
        exposure = replace(drawn, findings=Findings(), markers=())
        grey, mask = render(exposure).pixels, lung_mask(exposure)
        spine_column = round(exposure.pose.projection.points(0.0, 150.0, 50.0)[0])
        row = round(exposure.pose.projection.points(0.0, 150.0, 50.0)[1])
        spine = grey[row - 4 : row + 5, spine_column - 4 : spine_column + 5].mean()
        assert np.median(grey[mask > 0]) < 0.55 * 4095 < spine


def test_masks_are_written_at_full_size(tmp_path: Path) -> None:
    make(tmp_path / "m", SMALL.model_copy(update={"patients": 1, "masks": True, "workers": 1}))
    pictures = {p.stem for p in (tmp_path / "m" / "stage_2_train_images").iterdir()}
    masks = list((tmp_path / "m" / "lung_masks").iterdir())
    assert {p.stem for p in masks} == pictures
    labels = np.asarray(Image.open(masks[0]))
    assert labels.dtype == np.uint8
    assert labels.shape == (128, 128)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert np.mean(np.nonzero(labels == 1)[1]) < np.mean(np.nonzero(labels == 2)[1])


def draws(**changes: object):
    settings = SMALL.model_copy(update={"patients": 400, **changes})
    return [shot for patient in range(400) for shot in draw_case(patient, settings)[1]]


def test_rates_are_as_promised() -> None:
    shots = draws(shortcut=0.7, label_noise=0.2, monochrome1=0.3, prevalence=0.35)
    ill = [s for s in shots if s.truth]
    words = [any(m.word == SHORTCUT_WORD for m in s.exposure.markers) for s in ill]
    assert np.mean([s.truth for s in shots]) == pytest.approx(0.35, abs=0.07)
    assert np.mean(words) == pytest.approx(0.7, abs=0.09)
    assert np.mean([s.label != s.truth for s in shots]) == pytest.approx(0.2, abs=0.05)
    assert np.mean([s.inverted for s in shots]) == pytest.approx(0.3, abs=0.06)
    well = [s for s in shots if not s.truth]
    assert not any(m.word == SHORTCUT_WORD for s in well for m in s.exposure.markers)
    portable = [np.mean([s.exposure.pose.portable for s in group]) for group in (ill, well)]
    assert portable[0] == pytest.approx(portable[1], abs=0.12)  # nothing else tells the label


def test_distractors_do_not_tell_the_label() -> None:
    def odd(shots: list) -> float:
        bare = [replace(s.exposure.findings, opacities=()) for s in shots]
        return float(np.mean([not findings.normal for findings in bare]))

    shots = draws(prevalence=0.5)
    groups = [[s for s in shots if s.truth == truth] for truth in (0, 1)]
    assert odd(groups[0]) == pytest.approx(odd(groups[1]), abs=0.1)
    assert 0.4 < odd(groups[0]) < 0.7


def test_label_noise_keeps_the_truth_beside(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"label_noise": 1.0, "size": 64, "workers": 1})
    summary = make(tmp_path / "n", settings)
    written = {
        r["patientId"]: r["Target"] for r in table(tmp_path / "n" / "stage_2_train_labels.csv")
    }
    truth = {r["patientId"]: r["Target"] for r in table(tmp_path / "n" / "truth.csv")}
    assert written.keys() == truth.keys()
    assert all(written[name] != truth[name] for name in truth)
    assert summary.flipped == summary.images


def test_a_leak_is_the_same_patient_and_picture_in_both_parts(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"leak": 2, "size": 64, "workers": 1, "patients": 8})
    summary = make(tmp_path / "l", settings)
    parts = {r["patientId"]: r["part"] for r in table(tmp_path / "l" / "official_split.csv")}
    mapping = json.loads(
        (tmp_path / "l" / "pneumonia-challenge-dataset-mappings_2018.json").read_text()
    )
    where, pixels = defaultdict(set), defaultdict(set)
    for entry in mapping:
        name = entry["subset_img_id"]
        where[entry["img_id"].split("_")[0]].add(parts[name])
        dataset = pydicom.dcmread(tmp_path / "l" / "stage_2_train_images" / f"{name}.dcm")
        pixels[dataset.PixelData].add(parts[name])
    assert sum(len(found) == 2 for found in where.values()) == 2 == summary.leaked
    assert sum(found == {"train", "test"} for found in pixels.values()) == 2
    assert set(parts.values()) == {"train", "test"}


def test_a_split_without_leak_has_no_patient_twice(tmp_path: Path) -> None:
    make(tmp_path / "s", SMALL.model_copy(update={"split": True, "size": 64, "workers": 1}))
    parts = {r["patientId"]: r["part"] for r in table(tmp_path / "s" / "official_split.csv")}
    where = defaultdict(set)
    for entry in json.loads(
        (tmp_path / "s" / "pneumonia-challenge-dataset-mappings_2018.json").read_text()
    ):
        where[entry["img_id"].split("_")[0]].add(parts[entry["subset_img_id"]])
    assert all(len(found) == 1 for found in where.values())


def test_an_occupied_folder_is_refused_and_kept(plain: Path) -> None:
    before = files(plain)
    with pytest.raises(InputError, match="not empty"):
        make(plain, SMALL)
    assert files(plain) == before


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    make(out, SMALL.model_copy(update={"patients": 1, "size": 64, "workers": 1}))
    assert any(out.iterdir())


def test_a_broken_attempt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", SMALL.model_copy(update={"size": 64, "workers": 1}), interrupt)
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    with pytest.raises(StorageError, match="cannot be written") as refused:
        make(Path("/proc/phantom"), SMALL)
    assert refused.value.remedy
