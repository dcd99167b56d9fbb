"""What the values mean: intents, extensions, and channels that come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from hounsfield import formats
from hounsfield.errors import FormatError
from hounsfield.formats import nifti
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image


def flat(values: np.ndarray) -> np.ndarray:
    """nibabel's (x, y, z, t, u, …) as our (C, Z, Y, X)."""
    return values.reshape((*values.shape[:3], -1), order="F").transpose(3, 2, 1, 0)


def with_intent(path: Path, shape: tuple[int, ...], code: int, name: str = "") -> Image:
    other = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), np.eye(4))
    other.header.set_intent(code, name=name, allow_unknown=True)
    other.to_filename(path)
    return formats.read(path)


def test_vectors_lie_along_c_and_go_back_to_their_axis(tmp_path: Path) -> None:
    image = with_intent(tmp_path / "x.nii", (5, 4, 3, 1, 3), 1007, "warp")
    assert [channel.name for channel in image.channels] == [f"component {i}" for i in (1, 2, 3)]
    assert image.stored["intent"]["kind"] == "vectors"
    formats.write(image, tmp_path / "y.nii.gz")
    theirs = nib.load(tmp_path / "y.nii.gz")
    assert theirs.shape == (5, 4, 3, 1, 3)
    assert theirs.header.get_intent() == ("vector", (), "warp")
    np.testing.assert_array_equal(flat(np.asarray(theirs.dataobj)), image.array)


@pytest.mark.parametrize(
    ("code", "words", "name"),
    [(1002, "labels", "labels"), (5, "z score", "z score"), (2001, "time series", ""),
     (2999, "intent 2999", "")],
)  # fmt: skip
def test_an_intent_is_told(tmp_path: Path, code: int, words: str, name: str) -> None:
    image = with_intent(tmp_path / "x.nii", (5, 4, 3), code, "Miller^Jane")
    assert image.channels[0].name == name
    assert image.stored["intent"]["code"] == code
    assert image.stored["intent"]["name"] == "Miller^Jane"
    told = formats.header(tmp_path / "x.nii").facts.stored or ""
    assert words in told
    assert "Miller" not in told  # a writer's own name may be a person's


def test_an_intent_that_cannot_be_written_is_refused(tmp_path: Path, oblique: Image) -> None:
    for wrong in ({"name": "no code"}, {"code": 1 << 40}, {"code": 5, "parameters": (1,) * 4}):
        with pytest.raises(FormatError, match="intent"):
            formats.write(replace(oblique, stored={"intent": wrong}), tmp_path / "x.nii")


def test_a_part_of_a_vector_stays_on_its_axis(tmp_path: Path, oblique: Image) -> None:
    array = np.concatenate([oblique.array] * 3).astype(np.float32)
    vectors = replace(oblique, array=array, channels=(), stored={"intent": {"code": 1007}})
    formats.write(vectors, tmp_path / "x.nii")
    read = formats.read(tmp_path / "x.nii")
    formats.write(
        replace(read, array=read.array[:2], channels=read.channels[:2]), tmp_path / "y.nii"
    )
    assert nib.load(tmp_path / "x.nii").shape[3:] == (1, 3)
    assert nib.load(tmp_path / "y.nii").shape[3:] == (1, 2)
    itk = sitk.ReadImage(tmp_path / "y.nii")
    assert (itk.GetDimension(), itk.GetNumberOfComponentsPerPixel()) == (3, 2)


def test_extensions_are_passed_over_and_counted(tmp_path: Path) -> None:
    other = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), np.eye(4))
    for text in (b"one", b"two" * 5000):
        other.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text))
    for name in ("x.nii", "x.nii.gz", "y.img"):
        path = tmp_path / name
        (nib.Nifti1Pair if name == "y.img" else nib.Nifti1Image).from_image(other).to_filename(path)
        assert formats.read(path).stored["extensions"] == 2
        assert "2 extensions not read" in (formats.header(path).facts.stored or "")
        np.testing.assert_array_equal(formats.read(path).array, flat(np.asarray(other.dataobj)))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".img"])
def test_channels_come_back(tmp_path: Path, suffix: str) -> None:
    """Uneven times, units and b-values have no field of their own in the header."""
    channels = (
        Channel("PET", "SUV", time=0.1),
        Channel("CT", "HU", time=7.25),
        Channel("ü\ny=" * 90, None, b_value=float("inf"), wavelength=850.5, colour="red"),
    )
    image = Image(np.arange(180, dtype=np.int16).reshape(3, 3, 4, 5), None, channels)
    path = tmp_path / f"x{suffix}"
    (nifti.write_pair if suffix == ".img" else formats.write)(image, path)
    again = formats.read(path)
    assert again.channels == channels
    assert again.stored["extensions"] == 0
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj).T, image.array)


@pytest.mark.parametrize("times", [(0.0, 2.5, 5.0), (0.0, 0.1, 0.2), (1.5,), (3.0, 1.0)])
def test_times_come_back(tmp_path: Path, times: tuple[float, ...]) -> None:
    array = np.zeros((len(times), 3, 4, 5), np.uint8)
    image = Image(array, None, tuple(Channel(time=time) for time in times))
    formats.write(image, tmp_path / "x.nii")
    assert formats.read(tmp_path / "x.nii").channels == image.channels


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{", b'{"name":3}', b'{"file":"x"}', b'{"time":[1,2]}', b"[" * 9000],
)
def test_an_extension_that_lies_is_passed_over(
    tmp_path: Path, oblique: Image, content: bytes
) -> None:
    assert isinstance(oblique.geometry, Patient)
    other = nib.Nifti1Image(oblique.array[0].T, oblique.geometry.affine)
    text = b"hounsfield=" + content
    other.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text))
    other.to_filename(tmp_path / "x.nii")
    image = formats.read(tmp_path / "x.nii")
    assert image.channels == (Channel(),)
    np.testing.assert_array_equal(image.array, oblique.array)
