"""The CT phantom: its seed, its place in space, and that one slice cannot tell what it is."""

from __future__ import annotations

import csv
import filecmp
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from hounsfield import workflow
from hounsfield.catalog.phantoms.ct_lesion import Settings, make
from hounsfield.catalog.phantoms.ct_lesion_body import draw_chest, draw_scan, see
from hounsfield.errors import InputError

SMALL = Settings(patients=12, seed=5)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "ct"
    made = make(out, SMALL)
    assert (made.patients, made.scans) == (12, 12)
    return out


def test_the_same_seed_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", SMALL)
    make(tmp_path / "other", SMALL.model_copy(update={"seed": 6}))
    names = [str(p.relative_to(data)) for p in data.rglob("*") if p.is_file()]
    assert len(names) == 14
    same, different, broken = filecmp.cmpfiles(data, tmp_path / "again", names, shallow=False)
    assert (len(same), different, broken) == (14, [], [])
    assert not filecmp.cmpfiles(data, tmp_path / "other", names, shallow=False)[0]


def test_more_patients_leave_the_first_as_they_were(data: Path, tmp_path: Path) -> None:
    make(tmp_path / "few", SMALL.model_copy(update={"patients": 2}))
    for path in (tmp_path / "few/volumes").iterdir():
        assert path.read_bytes() == (data / "volumes" / path.name).read_bytes()


def test_a_known_layout_with_given_patients(data: Path, tmp_path: Path) -> None:
    catalog = workflow.index(data, tmp_path / "catalog", workers=0).catalog
    assert catalog.images["depth"].unique().to_list() == [12]
    assert catalog.cases["patient"].n_unique() == 12
    assert catalog.cases["patient_known"].unique().to_list() == ["given"]
    assert set(catalog.annotations["label"]) == {"lesion", "none"}
    assert catalog.images["modality"].n_unique() == 1


def test_the_truth_is_where_another_reader_finds_it(data: Path) -> None:
    """nibabel's affine leads from the truth's millimetres to bright lung tissue, left and right."""
    labels = {Path(row["image"]).name: row["label"] for row in table(data / "labels.csv")}
    seen = set()
    for row in table(data / "truth.csv"):
        file = nib.load(data / f"volumes/{row['scan']}.nii.gz")
        assert nib.aff2axcodes(file.affine) == ("L", "P", "S")
        assert (labels[f"{row['scan']}.nii.gz"] == "lesion") == bool(row["x"])
        middle = np.array(file.shape) / 2
        assert ((file.affine @ (*middle, 1))[0] > 0) == (row["lung"] == "right")
        seen.add(row["lung"])
        if not row["x"]:
            continue
        place = np.array([float(row[name]) for name in "xyz"])
        x, y, z = np.linalg.solve(file.affine, (*place, 1))[:3]
        hu = file.get_fdata()
        assert hu[round(x), round(y), round(z)] > -200
        assert abs(z - file.shape[2] // 2) <= SMALL.off + 1e-3
        above = round(z) + 4
        assert hu[round(x), round(y), above] < -500  # it ends, as no vessel does
    assert seen == {"left", "right"}


def counted(scan: object, settings: Settings) -> list[int]:
    """How many round things each slice shows in the lung."""
    seen = see(scan, settings, np.random.default_rng(0))  # type: ignore[arg-type]
    found = []
    for slice_ in seen:
        inner = ndimage.binary_fill_holes(slice_ < -450)
        holes = inner & (slice_ > -450)
        found.append(int(ndimage.label(holes)[1]))
    return found


def test_the_middle_slice_shows_as_many_and_the_others_do_not() -> None:
    """Ill and well with one stream of chance differ by what is taken away beyond the middle."""
    settings = Settings(noise=0.0, size=144, vessels=(4, 4), off=0.0)
    for seed in range(6):
        pair = []
        for ill in (False, True):
            rng = np.random.default_rng(seed)
            pair.append(draw_scan(rng, draw_chest(rng, settings), settings, ill))
        well, ill_ = (counted(scan, settings) for scan in pair)
        middle = settings.slices // 2
        assert ill_[middle] == well[middle] == 4
        assert ill_[0] < well[0]
        assert sum(ill_) <= sum(well) - 6  # of vessels two may touch, or one the wall
        assert pair[1].nodule is not None


def test_in_the_middle_slice_a_nodule_looks_like_the_vessel_it_replaces() -> None:
    """The same tissue in all, and hardly another pixel."""
    settings = Settings(noise=0.0, vessels=(3, 3))
    off = []
    for seed in range(40):
        shown = []
        for ill in (False, True):
            rng = np.random.default_rng(seed)
            scan = draw_scan(rng, draw_chest(rng, settings), settings, ill)
            shown.append(see(scan, settings, np.random.default_rng(0)).astype(float))
        middle = settings.slices // 2
        change = shown[1] - shown[0]
        one = np.abs(shown[0][middle] + 860)[np.abs(change[middle]) > 0].sum()
        off.append(change[middle].sum() / one)
        assert np.abs(change[middle]).max() < 450  # of 900 between lung and vessel
        assert np.abs(change).max() > 700  # while in other slices it is gone
    assert abs(np.mean(off)) < 0.04  # neither brighter nor darker


def test_label_and_looks_of_the_middle_slice_are_strangers() -> None:
    """Mean, spread and number of things in it tell nothing of the label."""
    rng = np.random.default_rng(3)
    settings = Settings()
    ill, features = [], []
    for number in range(240):
        scan = draw_scan(rng, draw_chest(rng, settings), settings, bool(number % 2))
        middle = see(scan, settings, rng)[settings.slices // 2]
        ill.append(number % 2)
        features.append([middle.mean(), middle.std(), (middle > -300).mean()])
    marks = np.array(ill, bool)
    for values in np.array(features).T:
        ranks = values.argsort().argsort()
        auroc = (ranks[marks].mean() - (marks.sum() - 1) / 2) / (~marks).sum()
        assert abs(auroc - 0.5) < 0.1


def test_scans_of_a_patient_share_the_chest(tmp_path: Path) -> None:
    make(tmp_path / "ct", Settings(patients=3, scans=2))
    patients = [row["patient"] for row in table(tmp_path / "ct/labels.csv")]
    assert patients == ["P00000", "P00000", "P00001", "P00001", "P00002", "P00002"]
    lungs = [row["lung"] for row in table(tmp_path / "ct/truth.csv")]
    assert lungs[::2] == lungs[1::2]


def test_what_cannot_be_simulated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="have no room in a lung") as caught:
        make(tmp_path / "full", Settings(vessels=(200, 200)))
    assert "--vessels" in str(caught.value)
    with pytest.raises(ValidationError):
        Settings(slices=2)
    assert not any(tmp_path.iterdir())
    (tmp_path / "x").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        make(tmp_path, SMALL)
