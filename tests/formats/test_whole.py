"""Headers and voxels in files of their own: each image once, with all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cubes import cube, write_envi

from hounsfield import formats, workflow
from hounsfield.formats import analyze, nifti
from hounsfield.formats.contract import Source
from hounsfield.formats.folder import contents
from hounsfield.formats.whole import whole
from hounsfield.geometry import Patient
from hounsfield.image import Image

SHAPE = (1, 3, 4, 5)
NAMES = {  # header -> voxels, and the format
    "analyze.hdr": (("analyze.img",), "analyze"),
    "cube.hdr": (("cube",), "envi"),
    "meta.mhd": (("meta.raw",), "metaimage"),
    "nearly.nhdr": (("voxels.raw",), "nrrd"),
    "nifti.hdr": (("nifti.img",), "nifti"),
    "plain.hdr": (("plain.dat",), "envi"),
    "scene.dat.hdr": (("scene.dat",), "envi"),
    "slices.mhd": (("s0.raw", "s1.raw", "s2.raw"), "metaimage"),
}


def voxels() -> np.ndarray:
    array = np.arange(60, dtype=np.int16).reshape(SHAPE)
    array[0, 0, 0, 4] = 999
    return array


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One of each kind, with a table and a file of bytes that belong to nobody."""
    home = tmp_path / "data"
    home.mkdir()
    flat = np.diag([-0.5, 0.8, 1.2, 1.0])
    analyze.write_pair(Image(voxels(), Patient(analyze_affine())), home / "analyze.img")
    nifti.write_pair(Image(voxels(), Patient(flat)), home / "nifti.hdr")
    write_envi(home / "cube")
    write_envi(home / "plain.dat", 2 * cube())
    (home / "plain.dat.hdr").rename(home / "plain.hdr")
    write_envi(home / "scene.dat", 3 * cube())
    raw = voxels().astype("<i2").tobytes()
    tags = "NDims = 3\nDimSize = 5 4 3\nElementSpacing = 0.5 0.8 1.2\nElementType = MET_SHORT\n"
    (home / "meta.mhd").write_text(f"{tags}ElementDataFile = meta.raw\n")
    (home / "meta.raw").write_bytes(raw)
    names = "\n".join(NAMES["slices.mhd"][0])
    (home / "slices.mhd").write_text(f"{tags}ElementDataFile = LIST\n{names}\n")
    for z in range(3):
        (home / f"s{z}.raw").write_bytes(raw[z * 40 : (z + 1) * 40])
    text = "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 4 3\nspacings: 0.5 0.8 1.2\n"
    text += "endian: little\nencoding: raw\ndata file: voxels.raw\n"
    (home / "nearly.nhdr").write_text(text)
    (home / "voxels.raw").write_bytes(raw)
    (home / "notes.txt").write_text("nothing")
    return home


def analyze_affine() -> np.ndarray:
    """Where Analyze's convention puts a volume of this size."""
    affine = np.diag([-0.5, 0.8, 1.2, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ [2, 1.5, 1]
    return affine


@pytest.mark.parametrize("name", NAMES)
def test_either_file_names_all_of_them(folder: Path, name: str) -> None:
    files, _ = NAMES[name]
    expected = (name, *files)
    assert whole(Source(str(folder), (name,))).paths == expected
    inner = whole(Source(str(folder.parent), (f"data/{name}",)))
    assert inner.paths == tuple(f"data/{one}" for one in expected)
    same_stem = files[0].partition(".")[0] == name.partition(".")[0]
    if "." in files[0] and same_stem:
        assert whole(Source(str(folder), files[:1])).paths == expected
    assert whole(whole(inner)).paths == inner.paths


@pytest.mark.parametrize("name", NAMES)
def test_a_header_alone_is_enough_to_read(folder: Path, name: str) -> None:
    alone, both = Source(str(folder), (name,)), whole(Source(str(folder), (name,)))
    head = formats.header(alone)
    assert head.format == NAMES[name][1]
    assert head.shape == formats.header(both).shape
    np.testing.assert_array_equal(formats.read(alone).array, formats.read(both).array)


def test_other_files_stay_as_they_are(folder: Path) -> None:
    for name in ("lonely.img", "lonely.raw", "cube", "other.hdr"):
        (folder / name).touch()
        assert whole(Source(str(folder), (name,))).paths == (name,)


def test_a_folder_holds_each_once(folder: Path) -> None:
    held = contents(folder)
    assert [one.paths for one in held.sources] == [
        (name, *files) for name, (files, _) in NAMES.items()
    ]
    assert [file.name for file, _ in held.others] == ["notes.txt"]
    assert not held.bad


def test_an_index_lists_each_once_and_hashes_the_voxels(folder: Path, tmp_path: Path) -> None:
    made = workflow.index(folder, tmp_path / "catalog", workers=0)
    images = made.catalog.images
    assert images["format"].to_list() == [kind for _, kind in NAMES.values()]
    assert made.rejected.is_empty()
    assert images["hash"].n_unique() == len(NAMES)
    sources = made.catalog.sources(images["image"].to_list())
    assert [one.paths for one in sources] == [(name, *files) for name, (files, _) in NAMES.items()]
    again = workflow.index(folder, tmp_path / "catalog", workers=0)
    assert (again.read, again.unchanged) == (0, len(NAMES))
    raw = bytearray((folder / "voxels.raw").read_bytes())
    raw[7] ^= 1
    (folder / "voxels.raw").write_bytes(bytes(raw))
    third = workflow.index(folder, tmp_path / "catalog", workers=0)
    assert (third.read, third.unchanged) == (1, len(NAMES) - 1)
    changed = images["hash"] != third.catalog.images["hash"]
    assert images.filter(changed)["format"].to_list() == ["nrrd"]


def test_class_folders_of_pairs(tmp_path: Path) -> None:
    for label, level in (("big", 1), ("small", 2)):
        for number in range(2):
            path = tmp_path / "data" / label / f"scan{number}.hdr"
            path.parent.mkdir(parents=True, exist_ok=True)
            nifti.write_pair(Image(voxels() * level, Patient(np.eye(4))), path)
    catalog = workflow.index(tmp_path / "data", tmp_path / "catalog", workers=0).catalog
    assert catalog.images.height == 4
    assert sorted(catalog.annotations["label"]) == ["big", "big", "small", "small"]
    assert catalog.annotations.filter(pl.col("case").is_in(catalog.cases["case"])).height == 4
