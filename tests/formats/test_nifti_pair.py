"""Pairs of .hdr and .img: one image whichever is given, never half of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from hounsfield import formats
from hounsfield.errors import FormatError, StorageError, UsageError
from hounsfield.formats import nifti
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient
from hounsfield.image import Image


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_pair_is_one_image_whichever_file_is_given(
    tmp_path: Path, version: int, end: str, oblique: Image
) -> None:
    assert isinstance(oblique.geometry, Patient)
    kind = nib.Nifti1Pair if version == 1 else nib.Nifti2Pair
    theirs = kind(oblique.array[0].T, oblique.geometry.affine)
    theirs.to_filename(tmp_path / f"x.img{end}")
    header, data = tmp_path / f"x.hdr{end}", tmp_path / f"x.img{end}"
    expected = [Source(str(tmp_path), (header.name, data.name))]
    assert formats.find(header) == formats.find(data) == expected
    for path in (header, data):
        assert formats.sniff(path) == "nifti"
        image = formats.read(path)
        np.testing.assert_array_equal(image.array, oblique.array)
        assert isinstance(image.geometry, Patient)
        np.testing.assert_allclose(image.geometry.affine, oblique.geometry.affine, atol=1e-5)
    np.testing.assert_array_equal(formats.open(data).slab(1, 2).array, oblique.array[:, 1:2])


def test_pairs_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    """x.hdr and x.img beside x.hdr.gz and x.img.gz: each voxel file has its own header."""
    for end, value in (("", 1), (".gz", 2)):
        picture = nib.Nifti1Pair(np.full((5, 4, 3), value, np.int16), np.diag([value, 1, 1, 1]))
        picture.to_filename(tmp_path / f"x.img{end}")
    for end, value in (("", 1), (".gz", 2)):
        for name in ("x.hdr", "x.img"):
            image = formats.read(tmp_path / f"{name}{end}")
            assert image.array.max() == value
            assert image.spacing[0] == value


def test_voxels_without_their_header_are_of_no_format(tmp_path: Path) -> None:
    (tmp_path / "x.img").write_bytes(bytes(100))
    with pytest.raises(FormatError, match="no known image format"):
        formats.find(tmp_path / "x.img")


@pytest.mark.parametrize("name", ["x.hdr", "x.img", "X.IMG", "x.img.gz", "x.hdr.gz"])
def test_a_written_pair_is_nibabels(tmp_path: Path, oblique: Image, name: str) -> None:
    nifti.write_pair(oblique, tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 2
    theirs = nib.load(tmp_path / name)
    assert isinstance(theirs, nib.Nifti1Pair)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_array_equal(np.asarray(theirs.dataobj), oblique.array[0].T)
    np.testing.assert_allclose(theirs.affine, oblique.geometry.affine, atol=1e-5)
    np.testing.assert_array_equal(formats.read(tmp_path / name).array, oblique.array)


def test_a_pair_has_both_suffixes_or_is_refused(tmp_path: Path, oblique: Image) -> None:
    with pytest.raises(UsageError, match=r"x\.hdr or x\.img"):
        nifti.write_pair(oblique, tmp_path / "x.nii")
    with pytest.raises(FormatError, match="two files"):
        nifti.write(oblique, tmp_path / "x.img")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("last", [".img", ".hdr"])
def test_a_failing_disk_never_mixes_two_pairs(
    tmp_path: Path, oblique: Image, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Old header and new voxels must not stand side by side, whichever step fails."""
    nifti.write_pair(oblique, tmp_path / "x.hdr")
    old = (tmp_path / "x.img").read_bytes()
    place = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.suffix == last:
            raise OSError(5, "Input/output error")
        return place(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError):
        nifti.write_pair(Image(oblique.array[:, :2] + 1), tmp_path / "x.hdr")
    assert not (tmp_path / "x.hdr").exists()
    assert ((tmp_path / "x.img").read_bytes() == old) == (last == ".img")


@pytest.mark.parametrize("name", ["x.hdr", "x.img"])
def test_a_pair_is_written_by_its_suffix(oblique: Image, tmp_path: Path, name: str) -> None:
    formats.write(oblique, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"x.hdr", "x.img"}
    np.testing.assert_array_equal(formats.read(tmp_path / name).array, oblique.array)


def test_a_header_that_may_not_be_read_is_named(
    tmp_path: Path, oblique: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    nifti.write_pair(oblique, tmp_path / "x.img")
    opened = Path.open

    def closed(path: Path, *how: Any, **more: Any) -> Any:
        if path.suffix == ".hdr":
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(FormatError, match="permission") as caught:
        formats.read(tmp_path / "x.img")
    assert caught.value.file == tmp_path / "x.hdr"
