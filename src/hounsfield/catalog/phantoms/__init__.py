"""Simulated data sets with known truth, each written in a public layout.

A phantom is one module with `Settings` (frozen; its fields become flags), `Summary` and
`make(out, settings, progress) -> Summary`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from hounsfield.errors import UsageError, did_you_mean

PHANTOMS = {  # name -> module, imported when first needed
    "chest-xray": "hounsfield.catalog.phantoms.chest_xray",
    "ct-lesion": "hounsfield.catalog.phantoms.ct_lesion",
    "pet-ct": "hounsfield.catalog.phantoms.pet_ct",
    "covid-sources": "hounsfield.catalog.phantoms.covid_sources",
}


def load(name: str) -> ModuleType:
    """The module of a phantom; raises UsageError that suggests the nearest name."""
    if name not in PHANTOMS:
        raise UsageError(f"no phantom is called {name!r}", remedy=did_you_mean(name, PHANTOMS))
    return importlib.import_module(PHANTOMS[name])
