"""Catalogs of a few small files, made by hand, and phantoms that look alike at a glance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, LINK, Catalog
from hounsfield.image import Image

Build = Callable[..., Catalog]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """build(pictures, suffixes=…, patients=…, known=…, labels=…, sources=…): cases c0, c1, …"""

    def make(
        pictures: Sequence[NDArray[Any]],
        *,
        suffixes: Sequence[str] | None = None,
        patients: Sequence[str] | None = None,
        known: str = "given",
        labels: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
    ) -> Catalog:
        folder = tmp_path / "catalog"
        folder.mkdir()
        names = [f"c{row}" for row in range(len(pictures))]
        files = [
            f"{name}{suffix}"
            for name, suffix in zip(names, suffixes or [".png"] * len(names), strict=True)
        ]
        for file, picture in zip(files, pictures, strict=True):
            formats.write(Image.from_numpy(picture), tmp_path / file)
        common = {
            "patient": list(patients or names),
            "patient_known": [known] * len(names),
            "source": list(sources or ["here"] * len(names)),
        }
        images = {
            "image": names,
            **common,
            "hash": [f"bytes of {file}" for file in files],
            "height": [picture.shape[-2] for picture in pictures],
            "width": [picture.shape[-1] for picture in pictures],
        }
        cases = {
            "case": names,
            **common,
            "inputs": [[{"channel": "image", "image": name}] for name in names],
        }
        link = {"image": names, "root": str(tmp_path), "paths": [[file] for file in files]}
        _table(link, LINK).write_parquet(folder / "link.parquet")
        said = [
            {"case": name, "kind": "class", "name": "finding", "label": label}
            for name, label in zip(names, labels or [], strict=False)
        ]
        annotations = pl.DataFrame(said, schema=ANNOTATIONS)
        return Catalog(_table(images, IMAGES), _table(cases, CASES), annotations, folder)

    return make


def _table(rows: dict[str, Any], schema: dict[str, Any]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema_overrides={k: v for k, v in schema.items() if k in rows})
    return table.with_columns(
        pl.lit(None, schema[name]).alias(name) for name in schema if name not in table.columns
    )


@pytest.fixture(scope="session")
def shared() -> Callable[..., Split]:
    """shared(parts, patients=…, folds=…): a split of the cases c0, c1, …"""

    def make(
        parts: Sequence[str],
        patients: Sequence[str] | None = None,
        folds: Sequence[int | None] | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> Split:
        names = [f"c{row}" for row in range(len(parts))]
        table = pl.DataFrame(
            {
                "case": names,
                "patient": list(patients or names),
                "part": list(parts),
                "fold": list(folds or [None] * len(parts)),
            },
            schema_overrides={"fold": pl.Int32},
        )
        return Split(table, findings)

    return make


@pytest.fixture(scope="session")
def phantoms() -> NDArray[np.uint8]:
    """Chest radiographs of 40 different patients, (40, 512, 512), 8 bit."""
    from hounsfield.catalog.phantoms.chest_case import draw_case
    from hounsfield.catalog.phantoms.chest_render import render
    from hounsfield.catalog.phantoms.chest_xray import Settings

    settings = Settings(patients=40, images_per_patient=1, size=512, seed=11)
    pictures = [render(draw_case(i, settings)[1][0].exposure).pixels for i in range(40)]
    return np.asarray(np.stack(pictures) / 16, np.uint8)


@pytest.fixture
def noise() -> Callable[..., NDArray[np.uint8]]:
    """noise(seed, height, width): a picture like no other."""

    def make(seed: int, height: int = 40, width: int = 30) -> NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, 255, (height, width), dtype=np.uint8)

    return make
