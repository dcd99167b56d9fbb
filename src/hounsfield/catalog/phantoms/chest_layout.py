"""The tables of the RSNA Pneumonia Detection Challenge, and the optional ones of planted faults."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGES = "stage_2_train_images"
LABELS = "stage_2_train_labels.csv"
CLASSES = "stage_2_detailed_class_info.csv"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
MASKS = "lung_masks"
SPLIT = "official_split.csv"
TRUTH = "truth.csv"


@dataclass(frozen=True)
class Row:
    """What the tables say of one image."""

    image_id: str
    patient: int
    follow_up: int
    uids: tuple[str, str, str]
    label: int
    truth: int
    normal: bool
    boxes: tuple[tuple[int, int, int, int], ...]
    nih_labels: list[str]
    part: str

    @property
    def class_name(self) -> str:
        """The challenge's class; it follows the written label, not the truth."""
        if self.label:
            return "Lung Opacity"
        return "Normal" if self.normal else "No Lung Opacity / Not Normal"


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_tables(folder: Path, rows: Sequence[Row], *, split: bool, truth: bool) -> None:
    """Write labels, classes and mapping, sorted by image; split and truth only where asked for."""
    rows = sorted(rows, key=lambda row: row.image_id)
    labels: list[Sequence[object]] = []
    for row in rows:
        boxes = [tuple(f"{v}.0" for v in box) for box in row.boxes] or [("", "", "", "")]
        labels += [(row.image_id, *box, row.label) for box in (boxes if row.label else [("",) * 4])]
    _table(folder / LABELS, ("patientId", "x", "y", "width", "height", "Target"), labels)
    # The original repeats the class for each box; so does this.
    classes = [
        (r.image_id, r.class_name) for r in rows for _ in range(max(len(r.boxes) * r.label, 1))
    ]
    _table(folder / CLASSES, ("patientId", "class"), classes)
    mapping = [_mapped(row) for row in rows]
    (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
    if split:
        _table(folder / SPLIT, ("patientId", "part"), ((r.image_id, r.part) for r in rows))
    if truth:
        _table(folder / TRUTH, ("patientId", "Target"), ((r.image_id, r.truth) for r in rows))


def _mapped(row: Row) -> dict[str, object]:
    study, series, instance = row.uids
    return {
        "subset_img_id": row.image_id,
        "img_id": f"{row.patient:08d}_{row.follow_up:03d}.png",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SOPInstanceUID": instance,
        "orig_labels": row.nih_labels,
    }
