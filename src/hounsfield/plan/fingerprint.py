"""The fingerprint of a catalog's training part, and of this machine."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl
import psutil

from hounsfield import formats
from hounsfield.catalog.fingerprint import Fingerprint, Machine
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError

LOOKED_AT = 16  # files of a source and format, at least where there are so many


def fingerprint(catalog: Catalog, cases: Sequence[str], strata: Sequence[str]) -> Fingerprint:
    """The facts of these cases; `strata` are theirs, in the same order."""
    part = catalog.select(cases)
    images = part.images
    sides = images.select(pl.max_horizontal("height", "width")).to_series()
    inputs = part.cases["inputs"][0]
    return Fingerprint(
        cases=part.cases.height,
        patients=part.cases["patient"].n_unique(),
        patients_known=_counts(part.cases["patient_known"]),
        height=int(_median(images["height"])),
        width=int(_median(images["width"])),
        smallest=int(_number(images.select(pl.min_horizontal("height", "width")).min().item())),
        largest=int(_number(sides.max())),
        depth=int(_number(images["depth"].max())),
        shallowest=int(_number(images["depth"].min())),
        colour=_number((images["channels"] == 3).mean()) > 0.5,
        bits=_bits(part),
        channels=tuple(one["channel"] for one in inputs),
        modalities=_counts(images["modality"].fill_null("unknown")),
        formats=_counts(images["format"]),
        classes=dict(sorted(Counter(strata).items())),
        sources=_counts(part.cases["source"]),
        machine=machine(),
    )


def machine() -> Machine:
    """This computer, as far as this process may use it."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    memory = torch.cuda.get_device_properties(0).total_memory if gpu else 0
    return Machine(
        cores=cores or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        gpu=gpu,
        gpu_memory_gb=round(memory / 2**30, 1),
    )


def _bits(catalog: Catalog) -> int:
    """The most bits of a value, by the headers of a few files of each source and format."""
    bits = [0]
    for _, mine in catalog.images.group_by("source", "format"):
        few = mine["image"].gather_every(max(1, mine.height // LOOKED_AT))
        for source in catalog.sources(few.to_list()):
            with contextlib.suppress(InputError, OSError):  # told when the images are prepared
                bits.append(8 * formats.header(source).dtype.itemsize)
    return max(bits)


def _counts(series: pl.Series) -> dict[str, int]:
    table = series.value_counts(sort=True)
    return {str(name): int(count) for name, count in table.rows()}


def _median(series: pl.Series) -> float:
    return float(_number(series.median()))


def _number(value: Any) -> float:
    return float(value)
