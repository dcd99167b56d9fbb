"""MedMNIST v2: `.npz` files with `train|val|test_images` and `_labels`, 2-D and 3-D.

Names of classes as in Yang et al., MedMNIST v2, Scientific Data 10:41 (2023); files of other
names get "0", "1", … A multi-label set (ChestMNIST) has one value of 0 or 1 a finding and case.
Only the labels are read; of the images, only the header.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.tables import Part
from hounsfield.errors import FormatError, InputError
from hounsfield.folders import listing
from hounsfield.formats import npz
from hounsfield.formats.contract import Source
from hounsfield.formats.guard import refusing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TITLE = "MedMNIST v2 (18 sets, 2-D and 3-D)"
LICENCE = "CC BY 4.0; DermaMNIST CC BY-NC 4.0"
GET = """\
zenodo.org/records/10519652, or `pip install medmnist`; one file a set:
pneumoniamnist.npz                       also pneumoniamnist_64.npz, _128, _224
├── train_images  (N, Y, X), (N, Y, X, 3) or (N, Z, Y, X), uint8
├── train_labels  (N, 1), or (N, 14) in ChestMNIST
└── val_images, val_labels, test_images, test_labels
FOLDER may hold several such files
"""

PARTS: tuple[Part, ...] = ("train", "val", "test")
_ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right"),
    *("liver", "lung-left", "lung-right", "pancreas", "spleen"),
)
CLASSES: dict[str, tuple[str, ...]] = {
    "pathmnist": (
        *("adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle"),
        *("normal colon mucosa", "cancer-associated stroma"),
        "colorectal adenocarcinoma epithelium",
    ),
    "chestmnist": (
        *("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule"),
        *("pneumonia", "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis"),
        *("pleural", "hernia"),
    ),
    "dermamnist": (
        "actinic keratoses and intraepithelial carcinoma",
        *("basal cell carcinoma", "benign keratosis-like lesions", "dermatofibroma"),
        *("melanoma", "melanocytic nevi", "vascular lesions"),
    ),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "pneumoniamnist": ("normal", "pneumonia"),
    "retinamnist": ("0", "1", "2", "3", "4"),  # grades of diabetic retinopathy
    "breastmnist": ("malignant", "normal, benign"),
    "bloodmnist": (
        *("basophil", "eosinophil", "erythroblast", "immature granulocytes"),
        *("lymphocyte", "monocyte", "neutrophil", "platelet"),
    ),
    "tissuemnist": (
        *("Collecting Duct, Connecting Tubule", "Distal Convoluted Tubule"),
        *("Glomerular endothelial cells", "Interstitial endothelial cells", "Leukocytes"),
        *("Podocytes", "Proximal Tubule Segments", "Thick Ascending Limb"),
    ),
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
    "organmnist3d": (
        *("liver", "kidney-right", "kidney-left", "femur-right", "femur-left", "bladder"),
        *("heart", "lung-right", "lung-left", "spleen", "pancreas"),
    ),
    "nodulemnist3d": ("benign", "malignant"),
    "adrenalmnist3d": ("normal", "hyperplasia"),
    "fracturemnist3d": (
        *("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
    ),
    "vesselmnist3d": ("vessel", "aneurysm"),
    "synapsemnist3d": ("inhibitory synapse", "excitatory synapse"),
}


def recognise(root: Path) -> bool:
    return bool(_files(root))


def entries(root: Path) -> Iterator[Entry]:
    """One entry a picture, file by file, train before val before test.

    Raises:
        InputError: images and labels of different number, a label that the set does not have.
    """
    files = _files(root)
    if not files:
        raise InputError("no .npz file with train_images and train_labels", file=root, remedy=GET)
    for path in files:
        stem = path.stem if len(files) > 1 else None
        arrays = _arrays(path)
        for part in PARTS:
            yield from _part(arrays, path, part, stem)


def _part(
    arrays: dict[str, npz.Entry], path: Path, part: Part, stem: str | None
) -> Iterator[Entry]:
    images, labels = f"{part}_images", _labels(arrays, path, part)
    if images not in arrays:
        return
    shape = arrays[images].shape
    if len(shape) not in (3, 4) or 0 in shape[1:]:
        expected = "(N, Y, X), (N, Y, X, 3) or (N, Z, Y, X)"
        raise InputError(f"{images} has shape {shape}", file=path, expected=expected, remedy=GET)
    if labels is not None and len(labels) != shape[0]:
        problem = f"{shape[0]} {images}, but {len(labels)} labels"
        raise InputError(problem, file=path, remedy="the file is damaged: download it again")
    names = _names(path, 0 if labels is None else labels.shape[1])
    for index in range(shape[0]):
        row = () if labels is None else tuple(labels[index].tolist())
        name = f"{part}/{index}"
        yield Entry(
            Source(str(path.parent), (path.name,), f"{images}/{index}"),
            f"{stem}/{name}" if stem else name,
            labels=tuple(_annotations(path, f"{part}_labels, row {index}", row, names)),
            part=part,
        )


def _annotations(
    path: Path, where: str, row: Sequence[int], names: tuple[str, ...] | None
) -> Iterator[Label]:
    """One class, or for several columns one value a finding."""
    several = len(row) > 1
    most = 1 if several else (len(names) - 1 if names is not None else max(row, default=0))
    for column, value in enumerate(row):
        if value != int(value) or not 0 <= value <= most:
            raise InputError(
                f"{where}: unknown label {value}",
                file=path,
                expected=f"a whole number from 0 to {most}",
                remedy="correct it, or rename the file if it is another set",
            )
        if several:
            name = names[column] if names is not None else f"label {column}"
            yield Label("value", name, value=float(value))
        else:
            text = names[int(value)] if names is not None else str(int(value))
            yield Label("class", "class", text)


def _names(path: Path, columns: int) -> tuple[str, ...] | None:
    """The names of a published set's classes or findings, by the file's name."""
    names = CLASSES.get(re.sub(r"_(28|64|128|224)$", "", path.stem.lower()))
    return names if columns <= 1 or (names is not None and len(names) == columns) else None


def _files(root: Path) -> list[Path]:
    if root.is_dir():
        names = [e.name for e in listing(root) if e.name.lower().endswith(".npz") and e.is_file()]
        return [root / name for name in names if _is_set(root / name)]
    return [root] if root.suffix.lower() == ".npz" and _is_set(root) else []


def _is_set(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            held = set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
    return any(f"{part}_images.npy" in held for part in PARTS) and any(
        f"{part}_labels.npy" in held for part in PARTS
    )


def _arrays(path: Path) -> dict[str, npz.Entry]:
    """The arrays' headers; no pixel is read."""
    with _damaged(path), refusing(path, "the arrays"):
        return npz.entries(path)


def _labels(arrays: dict[str, npz.Entry], path: Path, part: Part) -> NDArray[np.generic] | None:
    """The labels (N, columns), or None where the part has none."""
    name = f"{part}_labels"
    if name not in arrays:
        return None
    with _damaged(path), refusing(path, name):
        labels: NDArray[np.generic] = npz.array(path, arrays[name])
    if labels.dtype.kind not in "iufb" or labels.ndim not in (1, 2):
        problem = f"{name} is {labels.dtype} of shape {labels.shape}"
        raise InputError(problem, file=path, expected="numbers (N, 1) or (N, columns)", remedy=GET)
    return labels.reshape(len(labels), -1) if labels.size else labels.reshape(len(labels), 0)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise InputError(error.problem, file=path, remedy="download the file again") from error
