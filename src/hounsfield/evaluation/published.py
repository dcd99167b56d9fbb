"""MedMNIST's published results, beside which ours stand.

Yang et al., MedMNIST v2, Scientific Data 10:41 (2023), doi:10.1038/s41597-022-01721-8, tables 3
and 4: area under the ROC curve and accuracy on the official test part.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Of one data set: ResNet-18 at 28 px (3-D for volumes), and the best in each column."""

    auroc: float
    accuracy: float
    best_auroc: float
    best_accuracy: float


MEDMNIST = {
    "pathmnist": Published(0.983, 0.907, 0.990, 0.911),
    "chestmnist": Published(0.768, 0.947, 0.778, 0.948),
    "dermamnist": Published(0.917, 0.735, 0.920, 0.768),
    "octmnist": Published(0.943, 0.743, 0.963, 0.776),
    "pneumoniamnist": Published(0.944, 0.854, 0.991, 0.946),
    "retinamnist": Published(0.717, 0.524, 0.750, 0.531),
    "breastmnist": Published(0.901, 0.863, 0.919, 0.863),
    "bloodmnist": Published(0.998, 0.958, 0.998, 0.966),
    "tissuemnist": Published(0.930, 0.676, 0.941, 0.703),
    "organamnist": Published(0.997, 0.935, 0.998, 0.951),
    "organcmnist": Published(0.992, 0.900, 0.994, 0.920),
    "organsmnist": Published(0.972, 0.782, 0.975, 0.813),
    "organmnist3d": Published(0.996, 0.907, 0.996, 0.907),
    "nodulemnist3d": Published(0.863, 0.844, 0.914, 0.874),
    "fracturemnist3d": Published(0.712, 0.508, 0.750, 0.517),
    "adrenalmnist3d": Published(0.827, 0.721, 0.839, 0.802),
    "vesselmnist3d": Published(0.874, 0.877, 0.930, 0.928),
    "synapsemnist3d": Published(0.820, 0.745, 0.851, 0.795),
}


def medmnist(name: str) -> Published | None:
    """By the name of a set's file, with or without its size: pneumoniamnist_64."""
    stem, _, size = name.lower().rpartition("_")
    return MEDMNIST.get(stem if size.isdigit() else name.lower())
