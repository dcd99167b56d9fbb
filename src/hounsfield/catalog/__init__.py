"""What data there is: tables, scan, split, layouts and phantoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hounsfield.catalog.findings import Finding

if TYPE_CHECKING:
    from hounsfield.catalog.tables import Catalog

__all__ = ["Catalog", "Finding"]


def __getattr__(name: str) -> Any:
    # Tables need polars, which the help of commands that read findings does not.
    if name == "Catalog":
        from hounsfield.catalog.tables import Catalog

        return Catalog
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
