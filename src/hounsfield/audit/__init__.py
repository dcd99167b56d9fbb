"""Leaks, duplicates, label conflicts and shortcuts: found before training, not after."""

from hounsfield.audit.leaks import apply
from hounsfield.audit.results import Audit, AuditSettings, Conflict, NearGroup, Pair, Table
from hounsfield.audit.whole import against, audit

__all__ = [
    "Audit",
    "AuditSettings",
    "Conflict",
    "NearGroup",
    "Pair",
    "Table",
    "against",
    "apply",
    "audit",
]
