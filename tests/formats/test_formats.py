"""One contract for every format in the list, and the door in front of them."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import thermal_files
from cubes import write_envi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.errors import FormatError, InputError, StorageError, UsageError
from hounsfield.formats import npz
from hounsfield.formats.contract import Format, Header, Like, Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Image

PIXELS = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12


def _analyze(path: Path) -> None:
    header = path.with_suffix(".hdr")
    formats.load("analyze").write_pair(Image.from_numpy(PIXELS), header)  # type: ignore[attr-defined]
    header.rename(path)


def _mp4(path: Path) -> None:
    """Three grey frames; the index at the end, so that a cut file has none."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((16, 16), 90, "u1"), "gray")))
        out.mux(stream.encode())


SAMPLES: dict[str, Callable[[Path], None]] = {
    "nifti": lambda path: formats.load("nifti").write(Image.from_numpy(PIXELS), path),  # type: ignore[attr-defined]
    "analyze": _analyze,
    "nrrd": lambda path: formats.load("nrrd").write(Image.from_numpy(PIXELS), path),  # type: ignore[attr-defined]
    "metaimage": lambda path: formats.load("metaimage").write(Image.from_numpy(PIXELS), path),  # type: ignore[attr-defined]
    "mgh": lambda path: formats.load("mgh").write(Image.from_numpy(PIXELS), path),  # type: ignore[attr-defined]
    "minc": lambda path: formats.load("minc").write(Image.from_numpy(PIXELS), path),  # type: ignore[attr-defined]
    "png": lambda path: Picture.fromarray(PIXELS).save(path, "PNG"),
    "thermal": lambda path: path.write_bytes(thermal_files.thermal_jpeg()) and None,
    "jpeg": lambda path: Picture.fromarray(PIXELS).save(path, "JPEG", quality=95),
    "tiff": lambda path: Picture.fromarray(PIXELS).save(path, "TIFF"),
    "numpy": lambda path: path.write_bytes(_npy(PIXELS)) and None,
    "envi": lambda path: write_envi(path) and None,
    "pixel-csv": lambda path: (
        path.write_text(
            "label," + ",".join(f"pixel{i}" for i in range(16)) + "\n3" + ",7" * 16 + "\n"
        )
        and None
    ),
    "video": _mp4,
}
WRITABLE = sorted({formats.load(name).SUFFIX for name in formats.FORMATS
                   if hasattr(formats.load(name), "write")})  # fmt: skip


def _npy(array: np.ndarray) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.fixture
def sample(tmp_path: Path, make_dicom: Any) -> Callable[[str], Path]:
    """A small file of a format, with a suffix that lies."""

    def make(name: str) -> Path:
        if name == "dicom":
            return make_dicom(PIXELS)
        path = tmp_path / f"{name}.scan"
        SAMPLES[name](path)
        return path

    return make


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_keeps_the_contract(name: str, sample: Callable[[str], Path]) -> None:
    module = formats.load(name)
    assert isinstance(module, ModuleType)
    assert isinstance(module, Format)
    path = sample(name)
    assert formats.sniff(path) == name
    sources = formats.find(path)
    assert sources
    head, image = formats.header(sources[0]), formats.read(sources[0])
    assert isinstance(head, Header)
    assert head.format == name
    assert head.shape == image.shape
    assert head.dtype == image.array.dtype
    assert image.array.flags.c_contiguous
    assert image.array.dtype.isnative
    opened = formats.open(sources[0])
    np.testing.assert_array_equal(opened.slab(0, 1).array, image.array[:, :1])
    with pytest.raises(InputError):
        opened.slab(0, 2)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_reads_into_a_wanted_type(name: str, sample: Callable[[str], Path]) -> None:
    source = formats.find(sample(name))[0]
    wanted = formats.read(source, like=Like(dtype=np.dtype(np.float32)))
    assert wanted.array.dtype == np.float32
    np.testing.assert_array_equal(wanted.array, formats.read(source).array)


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_every_truncated_file_is_refused_or_whole(
    name: str, kept: float, sample: Callable[[str], Path]
) -> None:
    path = sample(name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FormatError) as caught:
        formats.read(formats.find(path)[0])
    assert caught.value.file is not None
    assert Path(caught.value.file) == path


def test_missing_empty_folder_text_and_forbidden(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    cases = {
        "nowhere.dcm": "no such file",
        "empty.dcm": "0 bytes",
        "text.png": "no known",
        "text.png/below": "no such file",
        ".": "folder",
    }
    for name, message in cases.items():
        with pytest.raises(FormatError, match=message) as caught:
            formats.read(tmp_path / name)
        assert caught.value.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    SAMPLES["png"](path)
    path.chmod(0)
    with pytest.raises(FormatError, match="permission"):
        formats.read(path)


@pytest.mark.parametrize("number", [5, 107])  # EIO, ENODATA
def test_a_disk_that_fails_is_named(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    formats.write(Image.from_numpy(PIXELS), path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(FormatError, match=os.strerror(number)):
        formats.read(path)
    monkeypatch.setattr(formats, "sniff", lambda path: "png")
    with pytest.raises(FormatError, match=os.strerror(number)):
        formats.header(Source.of(path))


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="'nifti'"):
        formats.load("nifty")


def test_the_given_file_is_read_not_its_neighbour(tmp_path: Path) -> None:
    """x.nii beside x.nii.gz: some libraries open the former when asked for the latter."""
    plain, zipped = tmp_path / "x.nii", tmp_path / "x.nii.gz"
    formats.write(Image.from_numpy(PIXELS), plain)
    formats.write(Image.from_numpy(PIXELS + 1), zipped)
    assert formats.read(zipped).array.min() == 1
    assert formats.read(plain).array.min() == 0


# ---- writing

INTEGERS = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.int16]),
    st.tuples(st.just(1), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
)
REALS = hnp.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    elements=st.floats(width=32),
)


@pytest.mark.parametrize("suffix", [*WRITABLE, ".nii"])
@given(array=st.one_of(INTEGERS, REALS))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_comes_back_or_is_refused(
    tmp_path: Path, suffix: str, array: np.ndarray
) -> None:
    path = tmp_path / f"x{suffix}"
    path.unlink(missing_ok=True)
    try:
        formats.write(Image(array), path)
    except FormatError:
        assert suffix == ".png"
        assert array.shape[1] > 1 or array.dtype.kind == "f" or array.min() < 0
        assert not path.exists()
        return
    again = formats.read(path)
    np.testing.assert_array_equal(again.array, array)  # NaN equals NaN here
    assert again.geometry is None
    if suffix != ".png":
        assert again.array.dtype == array.dtype


@pytest.mark.parametrize("suffix", WRITABLE)
def test_colours_come_back(tmp_path: Path, suffix: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    formats.write(Image.from_numpy(colours, colour=True), tmp_path / f"x{suffix}")
    again = formats.read(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(again.array[:, 0], np.moveaxis(colours, 2, 0))
    assert again.channels == RGB


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_image_keeps_its_place(tmp_path: Path, oblique: Image, suffix: str) -> None:
    formats.write(oblique, tmp_path / f"x{suffix}")
    again = formats.read(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(again.array, oblique.array)
    assert isinstance(oblique.geometry, Patient)
    assert isinstance(again.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, oblique.geometry.affine, atol=1e-5)


@pytest.mark.parametrize("calibration", ["object", "detector", "unknown"])
def test_a_plane_keeps_its_calibration(tmp_path: Path, calibration: Any) -> None:
    plane = Plane((0.125, 0.25), calibration)
    formats.write(Image(PIXELS[None, None], plane), tmp_path / "x.nii.gz")
    assert formats.read(tmp_path / "x.nii.gz").geometry == plane


def test_an_unknown_suffix_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.nii\.gz"):
        formats.write(Image.from_numpy(PIXELS), tmp_path / "x.docx")


def test_a_disk_error_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formats.load("png"), "write", full)
    with pytest.raises(StorageError, match="the disk is full"):
        formats.write(Image.from_numpy(PIXELS), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    formats.write(Image.from_numpy(PIXELS), path)
    before = path.read_bytes()

    def stopped(image: Image, part: Path) -> None:
        part.write_bytes(before[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(formats.load("png"), "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        formats.write(Image.from_numpy(PIXELS), path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
    assert path.read_bytes() == before


# ---- NumPy


def test_medmnist_pictures_are_named(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    grey = np.random.default_rng(0).integers(0, 256, (3, 6, 7)).astype(np.uint8)
    colour = np.random.default_rng(1).integers(0, 256, (2, 6, 7, 3)).astype(np.uint8)
    volume = np.random.default_rng(2).integers(0, 256, (2, 4, 5, 6)).astype(np.uint8)
    np.savez_compressed(
        path, train_images=grey, train_labels=[[0], [1], [0]], val_images=colour,
        val_labels=[[0], [1]], test_images=volume, test_labels=[[1], [1]], atlas=grey[:2],
    )  # fmt: skip
    sources = formats.find(path)
    assert len(sources) == 8
    np.testing.assert_array_equal(formats.read(f"{path}#train_images/2").array[0, 0], grey[2])
    picture = formats.read(Source.of(path, "val_images/1"))
    np.testing.assert_array_equal(picture.array[:, 0], np.moveaxis(colour[1], 2, 0))
    np.testing.assert_array_equal(formats.read(f"{path}#test_images/0").array[0], volume[0])
    np.testing.assert_array_equal(formats.read(f"{path}#atlas").array[0], grey[:2])
    for source in sources:
        assert formats.header(source).shape == formats.read(source).shape
    with pytest.raises(FormatError, match="holds 8 images"):
        formats.read(path)
    for wrong in ("train_images/3", "train_labels/9", "nothing", "train_images/-1"):
        with pytest.raises(FormatError):
            formats.read(Source.of(path, wrong))


def test_many_pictures_decompress_their_stack_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, a_images=np.zeros((50, 8, 8), np.uint8), a_labels=np.zeros(50))
    loads = []
    load = npz._load
    monkeypatch.setattr(npz, "_load", lambda *args: loads.append(args) or load(*args))
    threads = [threading.Thread(target=lambda: [formats.read(s) for s in formats.find(path)])
               for _ in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    kept = len(npz._kept)
    np.save(tmp_path / "big.npy", np.zeros((5, 6, 7)))
    formats.read(tmp_path / "big.npy")
    assert len(npz._kept) == kept  # an array that is one image is not held
    np.savez_compressed(path, a_images=np.ones((50, 8, 8), np.uint8), a_labels=np.zeros(50))
    os.utime(path, ns=(1, 1))  # a rewritten file is read again
    assert formats.read(f"{path}#a_images/7").array.max() == 1


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1, 2], [3, 4]], ">i2"),
        np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
        np.arange(6, dtype=np.float16).reshape(2, 3),
        np.array([[True, False]]),
    ],
)
def test_arrays_of_every_order_come_back(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    image = formats.read(tmp_path / "x.npy")
    np.testing.assert_array_equal(image.array.reshape(array.shape), array)


def test_arrays_that_are_no_images_are_refused(tmp_path: Path) -> None:
    wrong = {
        "objects": np.array([[{"a": 1}, None]], object),
        "complex": np.ones((2, 2), complex),
        "line": np.arange(5),
        "none": np.zeros((0, 4)),
        "words": np.array([["a", "b"]]),
    }
    for name, array in wrong.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, array, allow_pickle=True)
        with pytest.raises(FormatError) as caught:
            formats.read(path)
        assert caught.value.file == path


def test_lying_headers_of_arrays_and_pictures(tmp_path: Path) -> None:
    npy = bytearray(_npy(np.zeros((4, 5), np.uint8)))
    npy[:] = npy.replace(b"(4, 5)", b"(400000, 500000)").replace(b" " * 10, b"", 1)
    (tmp_path / "x.npy").write_bytes(npy)
    SAMPLES["png"](tmp_path / "x.png")
    png = bytearray((tmp_path / "x.png").read_bytes())
    png[16:24] = (60000).to_bytes(4, "big") * 2
    (tmp_path / "x.png").write_bytes(png)
    SAMPLES["jpeg"](tmp_path / "x.jpg")
    jpeg = bytearray((tmp_path / "x.jpg").read_bytes())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = (60000).to_bytes(2, "big") * 2
    (tmp_path / "x.jpg").write_bytes(jpeg)
    for path in tmp_path.iterdir():
        for ask in (formats.header, formats.read):
            with pytest.raises(FormatError):
                ask(path)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    header = formats.load("nifti")
    header.write(Image.from_numpy(np.zeros((2, 2), np.uint8)), tmp_path / "x.nii")  # type: ignore[attr-defined]
    block = bytearray((tmp_path / "x.nii").read_bytes())
    block[42:46] = (30000).to_bytes(2, "little") * 2
    block[46:48] = (10).to_bytes(2, "little")
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(bytes(block)))
    with pytest.raises(FormatError, match="promises"):
        formats.read(tmp_path / "x.nii.gz")
