"""Deep learning on medical images, from the scanner to a report that can be believed."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# name -> module; imported when first used, so that `import hounsfield` is instant
_PUBLIC = {
    "Image": "hounsfield.image",
    "Channel": "hounsfield.image",
    "Patient": "hounsfield.geometry",
    "Plane": "hounsfield.geometry",
    "HounsfieldError": "hounsfield.errors",
    "Catalog": "hounsfield.catalog",
    "Run": "hounsfield.run",
    "Source": "hounsfield.formats.contract",
    "Like": "hounsfield.formats.contract",
    "Clip": "hounsfield.formats.video.clip",
    "Grid": "hounsfield.spatial",
    "open": "hounsfield.formats",
    "read": "hounsfield.formats",
    "write": "hounsfield.formats",
    "masks": "hounsfield.formats.dicom.masks",
    "resample": "hounsfield.spatial",
    "straight": "hounsfield.spatial",
    "reorient": "hounsfield.spatial",
    "crop": "hounsfield.spatial",
    "pad": "hounsfield.spatial",
    "index": "hounsfield.workflow",
    "split": "hounsfield.workflow",
    "audit": "hounsfield.workflow",
    "plan": "hounsfield.workflow",
    "find_rate": "hounsfield.workflow",
    "train": "hounsfield.workflow",
    "tune": "hounsfield.workflow",
    "Search": "hounsfield.workflow",
    "predict": "hounsfield.workflow",
    "evaluate": "hounsfield.workflow",
    "report": "hounsfield.workflow",
    "export": "hounsfield.workflow",
    "compare": "hounsfield.workflow",
    "compare_fusion": "hounsfield.workflow",
    "loader": "hounsfield.workflow",
    "leave_out": "hounsfield.workflow",
    "read_case": "hounsfield.workflow",
    "n4": "hounsfield.workflow",
    "quality": "hounsfield.workflow",
    "vectorise": "hounsfield.workflow",
    "featurize": "hounsfield.workflow",
    "Backbone": "hounsfield.workflow",
    "pet_ct": "hounsfield.workflow",
    "temperatures": "hounsfield.workflow",
    "spectra": "hounsfield.workflow",
    "correct_bias": "hounsfield.preprocessing.mr.bias_field",
    "window": "hounsfield.preprocessing.ct.windows",
    "lungs": "hounsfield.preprocessing.ct.lungs",
    "register": "hounsfield.preprocessing.pet.registration",
}
__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604  (strings, computed)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hounsfield' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Here `plan` and `audit` are verbs, also once the rooms of these names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
