"""A tiny example of each layout. Image files are empty: a layout that opens one fails."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib import format as npy

Build = Callable[[Path], None]


def touch(root: Path, *paths: str) -> None:
    """Empty files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def table(path: Path, *rows: Sequence[object]) -> None:
    """A CSV, the first row its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def sheet(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """The least spreadsheet that ECMA-376 allows: one sheet of inline texts."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row) + "</row>"
        for row in rows
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/s.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r" Type="{office}/worksheet" Target="s.xml"/></Relationships>',
        "xl/s.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{text}')


def medmnist_file(path: Path, **labels: Sequence[object]) -> None:
    """An .npz whose images have a header and damaged pixels: reading them fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for part, values in labels.items():
            head, body = io.BytesIO(), io.BytesIO()
            shape = (len(values), 96, 96)
            npy.write_array_header_1_0(
                head, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            npy.write_array(body, np.array(values, np.uint8).reshape(len(values), -1))
            head.write(b"\xa5" * (len(values) * 96 * 96))
            archive.writestr(f"{part}_images.npy", head.getvalue())
            archive.writestr(f"{part}_labels.npy", body.getvalue())
    path.write_bytes(path.read_bytes().replace(b"\xa5" * 96, b"\x5a" * 96))


A, B, C = (f"{word}-0000-4000-8000-000000000000" for word in ("aaaaaaaa", "bbbbbbbb", "cccccccc"))


def rsna(root: Path) -> None:
    touch(root, *(f"stage_2_train_images/{name}.dcm" for name in (A, B, C)))
    touch(root, "stage_2_test_images/dddd.dcm", f"lung_masks/{A}.png")
    table(
        root / "stage_2_train_labels.csv",
        ("patientId", "x", "y", "width", "height", "Target"),
        (B, "", "", "", "", 0),
        (A, 264.0, 152.0, 213.0, 379.0, 1),
        (A, 562.0, 152.0, 256.0, 453.0, 1),
        (C, "", "", "", "", 0),
    )
    table(
        root / "stage_2_detailed_class_info.csv",
        ("patientId", "class"),
        (A, "Lung Opacity"),
        (A, "Lung Opacity"),
        (B, "No Lung Opacity / Not Normal"),
        (C, "Normal"),
    )
    mapping = [
        {"subset_img_id": A, "img_id": "00013249_006.png", "orig_labels": ["Pneumonia"]},
        {"subset_img_id": B, "img_id": "00013249_000.png", "orig_labels": []},
    ]
    path = root / "pneumonia-challenge-dataset-mappings_2018.json"
    path.write_text(json.dumps(mapping), encoding="utf-8")
    table(root / "official_split.csv", ("patientId", "part"), (A, "train"), (C, "test"))


def class_folders(root: Path) -> None:
    inner = root / "chest_xray"  # as the archive unpacks
    touch(inner, "train/NORMAL/IM-0115-0001.jpeg", "train/NORMAL/NORMAL2-IM-0115-0001.jpeg")
    touch(inner, "train/PNEUMONIA/person23_bacteria_78.jpeg", "train/PNEUMONIA/odd.jpeg")
    touch(inner, "val/NORMAL/NORMAL2-IM-1427-0001.jpeg", "val/PNEUMONIA/person1_virus_6.jpeg")
    touch(inner, "Test/NORMAL/IM-0001-0001.jpeg", "Test/PNEUMONIA/person23_virus_1.jpeg")
    touch(inner, "train/.DS_Store", "train/NORMAL/.DS_Store", "val/NORMAL/Thumbs.db", "notes.csv")
    touch(root, "__MACOSX/chest_xray/._train")


def cohen(root: Path) -> None:
    touch(root, "images/a.jpg", "images/b.png", "volumes/c.nii.gz", "README.md")
    names = ("patientid", "offset", "sex", "age", "finding", "survival", "view", "modality")
    table(
        root / "metadata.csv",
        (*names, "date", "folder", "filename", "clinical_notes", ""),
        (2, 0, "M", 65, "Pneumonia/Viral/COVID-19", "Y", "PA", "X-ray", "Jan 22, 2020", "images",
         "b.png", "Mr Smith, a farmer", ""),
        (2, 3, "M", 65, "Pneumonia/Viral/COVID-19", "Y", "Axial", "CT", "2020", "volumes",
         "c.nii.gz", "", ""),
        (7, "", "F", "", "todo", "", "AP", "X-ray", "", "images", "a.jpg", "", ""),
        (7, "", "F", "", "No Finding", "", "L", "X-ray", "", "images", "gone.jpg", "", ""),
    )  # fmt: skip


def covid_radiography(root: Path) -> None:
    for label, name in (("COVID", "COVID-1"), ("Normal", "Normal-1"), ("Normal", "Normal-2")):
        touch(root, f"{label}/images/{name}.png", f"{label}/masks/{name}.png")
    touch(root, "Viral Pneumonia/images/Viral Pneumonia-1.png", "README.md.txt")


def autopet(root: Path) -> None:
    first = "PETCT_01140d52d8/08-13-2005-NA-PET-CT Ganzkoerper-56839"
    touch(root, *(f"{first}/{name}.nii.gz" for name in ("CT", "CTres", "PET", "SEG", "SUV")))
    second = "PETCT_0011f3deaf/03-23-2003-NA-PET-CT Ganzkoerper-10445"
    touch(root, *(f"{second}/{name}.nii.gz" for name in ("CTres", "SUV")), "fdg_metadata.csv")


def brats(root: Path) -> None:
    parts = {"TrainingData/BraTS20_Training": 2, "ValidationData/BraTS20_Validation": 1}
    for case in (
        f"MICCAI_BraTS2020_{part}_{n + 1:03d}" for part, c in parts.items() for n in range(c)
    ):
        name = case.rpartition("/")[2]
        touch(root, *(f"{case}/{name}_{kind}.nii.gz" for kind in ("flair", "t1", "t1ce", "t2")))
    home = root / "MICCAI_BraTS2020_TrainingData"
    touch(home, "BraTS20_Training_001/BraTS20_Training_001_seg.nii.gz")
    touch(home, "BraTS20_Training_002/W39_1998.09.19_Segm.nii")
    table(
        home / "name_mapping.csv",
        ("Grade", "BraTS_2017_subject_ID", "TCGA_TCIA_subject_ID", "BraTS_2020_subject_ID"),
        ("HGG", "Brats17_CBICA_AAB_1", "NA", "BraTS20_Training_001"),
        ("LGG", "NA", "TCGA-1", "BraTS20_Training_002"),
    )
    table(
        home / "survival_info.csv",
        ("Brats20ID", "Age", "Survival_days", "Extent_of_Resection"),
        ("BraTS20_Training_001", 60.463, 289, "GTR"),
        ("BraTS20_Training_002", 52.2, "ALIVE (361 days later)", "NA"),
    )


def dsb2017(root: Path) -> None:
    patients = ("0015ceb8", "0030a160", "0092c13f", "00edff4f")
    for name in patients[:3]:
        touch(root, f"stage1/{name}/ff27.dcm", f"stage1/{name}/0a1b.dcm")
    table(root / "stage1_labels.csv", ("id", "cancer"), (patients[0], 1), (patients[3], 0))
    table(root / "stage1_sample_submission.csv", ("id", "cancer"), (patients[1], 0.5))


def nih(root: Path) -> None:
    touch(root, "images_001/images/00000001_000.png", "images_002/images/00000002_000.png")
    names = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age")
    table(
        root / "Data_Entry_2017_v2020.csv",
        (*names, "Patient Gender", "View Position", "OriginalImage[Width", "Height]", ""),
        ("00000001_000.png", "Cardiomegaly|Emphysema", 0, 1, "058Y", "M", "PA", 2682, 2749, ""),
        ("00000001_001.png", "No Finding", 1, 1, 58, "M", "AP", 2682, 2749, ""),
        ("00000002_000.png", "Hernia", 0, 2, 413, "F", "PA", 2500, 2048, ""),
        ("00000003_000.png", "", 0, 3, 7, "F", "PA", 2500, 2048, ""),
    )
    (root / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png")
    (root / "test_list.txt").write_text("00000002_000.png\n")


def isic(root: Path) -> None:
    touch(root, *(f"ISIC_2019_Training_Input/ISIC_000000{n}.jpg" for n in (1, 2, 3)))
    touch(root, "ISIC_2019_Training_Input/ISIC_0000001_superpixels.png", "LICENSE.txt")
    touch(root, "ISIC_2019_Test_Input/ISIC_0000009.jpg")
    table(
        root / "ISIC_2019_Training_GroundTruth.csv",
        ("image", "MEL", "NV", "BCC", "UNK"),
        ("ISIC_0000002", "0.0", "1.0", "0.0", "0.0"),
        ("ISIC_0000001", "1.0", "0.0", "0.0", "0.0"),
        ("ISIC_0000003", "0.0", "1.0", "0.0", "0.0"),
        ("ISIC_0000004_downsampled", "0.0", "0.0", "1.0", "0.0"),
    )
    table(
        root / "ISIC_2019_Training_Metadata.csv",
        ("image", "age_approx", "anatom_site_general", "lesion_id", "sex"),
        ("ISIC_0000001", "55.0", "anterior torso", "HAM_0000550", "female"),
        ("ISIC_0000002", "", "", "HAM_0000550", "Unknown"),
        ("ISIC_0000003", "30.0", "upper extremity", "", "male"),
    )
    table(
        root / "ISIC_2019_Test_Metadata.csv",
        ("image", "age_approx", "anatom_site_general", "sex"),
        ("ISIC_0000009", "45.0", "", "male"),
    )


def aptos(root: Path) -> None:
    touch(root, "train_images/000c1434d8d7.png", "train_images/001639a390f0.png")
    touch(root, "test_images/0005cfc8afb6.png")
    table(
        root / "train.csv",
        ("id_code", "diagnosis"),
        ("000c1434d8d7", 2),
        ("001639a390f0", 4),
        ("0024cdab0c1e", 0),
    )
    table(root / "test.csv", ("id_code",), ("0005cfc8afb6",))


def kvasir(root: Path) -> None:
    for label in ("polyps", "esophagitis", "normal-cecum"):
        name = "kvasir-dataset-v2"  # as the archive unpacks
        touch(root, *(f"{name}/{label}/0a{n}e-4f1b-{label[:2]}.jpg" for n in (1, 2)))


def medmnist(root: Path) -> None:
    medmnist_file(root / "pneumoniamnist.npz", train=(1, 0, 1), val=(0, 1), test=(1,))


def kaggle_digits(root: Path) -> None:
    pixels = [f"pixel{i}" for i in range(4)]
    table(root / "train.csv", ("label", *pixels), (7, 0, 1, 2, 255), (0, 9, 9, 9, 9))
    table(root / "test.csv", pixels, (1, 2, 3, 4))


def video_intervals(root: Path) -> None:
    touch(root, "films/a.mp4", "films/b.mkv", "films/c.mp4")
    table(
        root / "intervals.csv",
        ("video", "start", "end", "label", "patient"),
        ("a.mp4", 0, "2.5", "polyp", "p1"),
        ("a.mp4", "0:10", "0:12", "none", ""),
        ("b.mkv", 5, 5.5, "polyp", ""),
    )


def labelled_table(root: Path) -> None:
    touch(root, "images/a.png", "images/b.png", "images/c.png")
    table(
        root / "labels.csv",
        ("Image", "Patient ID", "Diagnosis", "Split", "Gender", "Age", "Name"),
        ("b.png", "p2", "benign", "train", "female", "061Y", "Anna Smith"),
        ("a.png", "p1", "malignant", "testing", "M", "18M", "Bob Smith"),
        ("c.png", "", "", "", "", "", ""),
    )
    table(root / "test.csv", ("Image",), ("a.png",))


def files(root: Path) -> None:
    touch(root, "b/2.dcm", "b/1.dcm", "a/IM0001", "README.md", ".hidden/x.png", "c.nii.gz")


EXAMPLES: dict[str, Build] = {
    "rsna-pneumonia": rsna,
    "class-folders": class_folders,
    "cohen-covid": cohen,
    "covid-radiography": covid_radiography,
    "autopet": autopet,
    "brats": brats,
    "dsb2017": dsb2017,
    "nih-chestxray14": nih,
    "isic": isic,
    "aptos": aptos,
    "kvasir": kvasir,
    "medmnist": medmnist,
    "kaggle-digits": kaggle_digits,
    "video-intervals": video_intervals,
    "table": labelled_table,
    "files": files,
}


@pytest.fixture
def make() -> SimpleNamespace:
    """Writers of small files: `touch`, `table`, `sheet`, `medmnist`."""
    return SimpleNamespace(touch=touch, table=table, sheet=sheet, medmnist=medmnist_file)


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Path]:
    """The folder of a layout's example."""

    def build(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        EXAMPLES[name](root)
        return root

    return build
