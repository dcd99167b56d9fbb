"""Cases of several contrasts: indexed, split, read as one image; and what cannot be done yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hounsfield as hf
from hounsfield import formats, workflow
from hounsfield.catalog import Catalog
from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image

CONTRASTS = ("FLAIR", "T1", "T1ce", "T2")
AFFINE = np.array(
    [[0.0, -0.8, 0.2, 30.0], [0.5, 0.0, 0.1, -40.0], [0.0, 0.1, 1.2, 7.0], [0.0, 0.0, 0.0, 1.0]]
)


def volume(number: int, shape: tuple[int, int, int] = (3, 4, 5), shift: float = 0.0) -> Image:
    """Another brightness for each contrast, one bright corner, an oblique place."""
    array = np.full((1, *shape), 10 * number, np.int16)
    array[0, 0, 0, -1] = 900 + number
    affine = AFFINE.copy()
    affine[0, 3] += shift
    return Image(array, Patient(affine), (Channel("whatever"),))


def brats(root: Path, cases: int = 4) -> Path:
    """Patients in BraTS's layout of 2021, each with a mask."""
    for n in range(cases):
        name = f"BraTS2021_{n:05d}"
        folder = root / name
        folder.mkdir(parents=True)
        for number, word in enumerate(("flair", "t1", "t1ce", "t2"), 1):
            formats.write(volume(number + 10 * n), folder / f"{name}_{word}.nii.gz")
        mask = replace(volume(0), array=(volume(0).array > 0).astype(np.uint8) * 4)
        formats.write(mask, folder / f"{name}_seg.nii.gz")
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return brats(tmp_path / "data")


def index(data: Path) -> Catalog:
    return workflow.index(data, data.with_name("catalog"), workers=0).catalog


def test_the_tables_hold_cases_of_four_volumes(data: Path) -> None:
    catalog = index(data)
    assert catalog.images.select("channels", "depth", "height", "width").unique().rows() == [
        (1, 3, 4, 5)
    ]
    assert (catalog.images.height, catalog.cases.height) == (16, 4)
    channels = [[one["channel"] for one in row] for row in catalog.cases["inputs"]]
    assert channels == [[*CONTRASTS]] * 4
    assert catalog.annotations.select("kind", "name").unique().rows() == [("mask", "tumour")]
    assert catalog.cases["patient"].n_unique() == 4
    assert catalog.images["modality"].unique().to_list() == ["MR"]
    assert catalog.cases["patient_known"].unique().to_list() == ["mapped"]
    again = workflow.index(data, data.with_name("catalog"), workers=0)
    assert (again.read, again.unchanged) == (0, 16)


def test_a_case_is_one_image_with_its_contrasts_on_c(data: Path) -> None:
    catalog = index(data)
    image = hf.read_case(catalog, catalog.cases["case"][1])
    assert [channel.name for channel in image.channels] == [*CONTRASTS]
    expected = np.concatenate([volume(10 + n).array for n in (1, 2, 3, 4)])
    np.testing.assert_array_equal(image.array, expected)
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (volume(4, (3, 4, 6)), r"T2 does not lie on the grid of FLAIR: 6 × 4 × 3 voxels"),
        (volume(4, shift=0.5), r"T2 does not lie on the grid of FLAIR: .*0\.5 mm apart"),
    ],
)
def test_grids_that_disagree_name_the_contrast(data: Path, other: Image, words: str) -> None:
    formats.write(other, data / "BraTS2021_00002" / "BraTS2021_00002_t2.nii.gz")
    catalog = index(data)
    with pytest.raises(GeometryError, match=words):
        workflow.read_case(catalog, catalog.cases["case"][2])
    workflow.read_case(catalog, catalog.cases["case"][1])


def test_an_incomplete_case_is_left_out_and_its_missing_files_listed(data: Path) -> None:
    (data / "BraTS2021_00001" / "BraTS2021_00001_t1ce.nii.gz").unlink()
    made = workflow.index(data, data.with_name("catalog"), workers=0)
    assert made.catalog.cases.height == 3
    assert made.rejected["reason"].to_list() == ["there is no such file"]
    told = {one.kind: one.text for one in made.findings}
    assert "1 case of 4 without all four contrasts (missing: 1 × T1ce)" in told["missing-contrast"]


def test_a_damaged_contrast_is_no_case_of_three_channels(data: Path) -> None:
    (data / "BraTS2021_00001" / "BraTS2021_00001_t1ce.nii.gz").write_bytes(b"\x1f\x8bno image")
    catalog = index(data)
    short = catalog.cases.filter(pl.col("inputs").list.len() < 4)
    for case in short["case"]:
        with pytest.raises(InputError, match="lacks T1ce, which other cases"):
            workflow.read_case(catalog, case)
    with pytest.raises(UsageError, match="no case 'nobody'"):
        workflow.read_case(catalog, "nobody")


def test_they_are_split_by_patient_and_not_yet_learned_from(data: Path) -> None:
    catalog = index(data)
    split = workflow.split(catalog, {"data.min_per_class": 0})
    assert sorted(split.table["case"]) == sorted(catalog.cases["case"])
    with pytest.raises(InputError) as caught:
        workflow.plan(data.with_name("catalog"), {}, out=data.with_name("plan"))
    assert "16 of 16 images are volumes of several slices" in caught.value.problem
    assert "this task does not learn from volumes" in str(caught.value.expected)


def test_a_real_size_is_known_from_the_header(tmp_path: Path) -> None:
    import nibabel

    folder = tmp_path / "data" / "BraTS20_Training_001"
    folder.mkdir(parents=True)
    head = nibabel.Nifti1Header()
    head.set_data_shape((240, 240, 155))
    head.set_data_dtype(np.int16)
    head.set_zooms((1, 1, 1))
    head.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), 1)
    head["vox_offset"] = 352
    for kind in ("flair", "t1", "t1ce", "t2"):
        path = folder / f"BraTS20_Training_001_{kind}.nii"
        with path.open("wb") as file:  # a hole in the file: no disk is taken
            file.write(head.binaryblock + bytes(4))
            file.truncate(352 + 240 * 240 * 155 * 2)
    catalog = index(tmp_path / "data")
    assert catalog.images.select("depth", "height", "width").unique().rows() == [(155, 240, 240)]
    assert catalog.cases.height == 1
