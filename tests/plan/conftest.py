"""Facts that plans are chosen from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hounsfield.catalog.fingerprint import Fingerprint, Machine


@pytest.fixture
def facts() -> Callable[..., Fingerprint]:
    """A fingerprint of radiographs; give what differs."""

    def made(**changed: object) -> Fingerprint:
        values: dict[str, object] = {
            "cases": 1000,
            "patients": 900,
            "patients_known": {"given": 1000},
            "height": 1024,
            "width": 1024,
            "smallest": 1024,
            "largest": 1024,
            "depth": 1,
            "colour": False,
            "channels": ("image",),
            "modalities": {"CR": 1000},
            "formats": {"dicom": 1000},
            "classes": {"no": 700, "yes": 300},
            "sources": {"a": 1000},
            "machine": Machine(cores=4, memory_gb=16.0),
        }
        return Fingerprint.model_validate(values | changed)

    return made
