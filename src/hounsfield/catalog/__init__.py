"""What data there is: tables, scan, split, layouts and phantoms."""

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import Catalog

__all__ = ["Catalog", "Finding"]
