"""MedMNIST files: parts, names of classes, several findings, damage."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib import format as npy

from hounsfield.catalog.layouts import medmnist
from hounsfield.errors import InputError
from hounsfield.formats import numpy_arrays


def test_reads_one_entry_a_picture(tmp_path: Path, make: SimpleNamespace) -> None:
    path = tmp_path / "pneumoniamnist_64.npz"
    make.medmnist(path, train=(1, 0, 1), val=(0,), test=(1,))
    entries = list(medmnist.entries(path))
    assert [(e.name, e.source.member, e.part, e.labels[0].label) for e in entries] == [
        ("train/0", "train_images/0", "train", "pneumonia"),
        ("train/1", "train_images/1", "train", "normal"),
        ("train/2", "train_images/2", "train", "pneumonia"),
        ("val/0", "val_images/0", "val", "normal"),
        ("test/0", "test_images/0", "test", "pneumonia"),
    ]
    assert {e.source.file for e in entries} == {path}


def test_a_folder_of_several_files_keeps_them_apart(tmp_path: Path, make: SimpleNamespace) -> None:
    make.medmnist(tmp_path / "organmnist3d.npz", train=(10,))
    make.medmnist(tmp_path / "mine.npz", train=(4,))
    entries = list(medmnist.entries(tmp_path))
    assert [(e.name, e.labels[0].label) for e in entries] == [
        ("mine/train/0", "4"),
        ("organmnist3d/train/0", "pancreas"),
    ]


def test_several_findings_are_values(tmp_path: Path, make: SimpleNamespace) -> None:
    make.medmnist(tmp_path / "chestmnist.npz", train=(np.eye(14)[6], np.zeros(14)))
    first, none = medmnist.entries(tmp_path)
    assert [label.name for label in first.labels if label.value == 1] == ["pneumonia"]
    assert {label.kind for label in first.labels} == {"value"}
    assert [label.value for label in none.labels] == [0.0] * 14


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("pneumoniamnist", (0, 2), "train_labels, row 1: unknown label 2"),
        ("chestmnist", ([0] * 13 + [3],), "train_labels, row 0: unknown label 3"),
    ],
)
def test_an_unknown_label_is_named(
    name: str, labels: tuple[object, ...], message: str, tmp_path: Path, make: SimpleNamespace
) -> None:
    make.medmnist(tmp_path / f"{name}.npz", train=labels)
    with pytest.raises(InputError, match=message):
        list(medmnist.entries(tmp_path))


def _write(path: Path, **arrays: object) -> None:
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    _write(path, train_images=np.zeros((3, 4, 4), np.uint8), train_labels=np.zeros((2, 1)))
    with pytest.raises(InputError, match="3 train_images, but 2 labels"):
        list(medmnist.entries(path))
    _write(path, train_images=np.zeros((3, 4), np.uint8), train_labels=np.zeros((3, 1)))
    with pytest.raises(InputError, match=r"train_images has shape \(3, 4\)"):
        list(medmnist.entries(path))
    _write(path, train_images=np.zeros((1, 4, 4)), train_labels=np.array([["a"]]))
    with pytest.raises(InputError, match="train_labels is <U1"):
        list(medmnist.entries(path))


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    labels = np.array([{"a": 1}], dtype=object)
    np.savez(path, train_images=np.zeros((1, 4, 4), np.uint8), train_labels=labels)
    with pytest.raises(InputError, match="needs a pickle, which is never opened"):
        list(medmnist.entries(path))


def _header(shape: tuple[int, ...]) -> bytes:
    head = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(head, fields)
    return head.getvalue()


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ((1, 4, 4), (1 << 35, 1), "promises"),  # would be 32 GiB
        ((10**12, 0, 4), (10**12, 0), r"train_images has shape \(1000000000000, 0, 4\)"),
    ],
)
def test_a_header_that_promises_too_much_is_refused(
    images: tuple[int, ...], labels: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", _header(images) + bytes(16))
        archive.writestr("train_labels.npy", _header(labels))
    with pytest.raises(InputError, match=message):
        next(medmnist.entries(path))
    if 0 in images:
        assert len(numpy_arrays.find(path)) == 1


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    _write(path, train_images=np.zeros((1, 4, 4), np.uint8), train_labels=np.zeros((1, 1)))
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + flags] |= 1  # PKWARE's appnote 4.4.4: encrypted
    path.write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        list(medmnist.entries(path))


def test_a_truncated_file_is_not_recognised_and_a_part_may_be_absent(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = tmp_path / "x.npz"
    make.medmnist(path, test=(0, 1))
    assert [e.part for e in medmnist.entries(path)] == ["test", "test"]
    path.write_bytes(path.read_bytes()[:100])
    assert not medmnist.recognise(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", b"")
        archive.writestr("train_labels.npy", b"")
    with pytest.raises(InputError, match="cannot decode the arrays"):
        list(medmnist.entries(path))


def test_the_real_pneumoniamnist(real_data: Path) -> None:
    entries = list(medmnist.entries(real_data / "pneumoniamnist"))
    assert Counter(e.part for e in entries) == {"train": 4708, "val": 524, "test": 312}
    sick = Counter(e.part for e in entries if e.labels[0].label == "pneumonia")
    with np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz") as arrays:
        for part in ("train", "val", "test"):
            assert sick[part] == int(arrays[f"{part}_labels"].sum())
