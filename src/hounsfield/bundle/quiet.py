"""Nothing leaves the hospital: OpenVINO and NNCF report their use to their maker unless kept
from it, OpenVINO at its import already (package openvino-telemetry, on by default).
"""

from __future__ import annotations

import sys

REPORTER = "openvino_telemetry"


def keep_quiet() -> None:
    """Call before openvino or nncf are imported: to both, the package that reports is not there.

    Where this process has imported it before, what it would send goes nowhere.
    """
    known = sys.modules.get(REPORTER)
    if known is None:
        sys.modules[REPORTER] = None  # type: ignore[assignment]  # an import of it fails
        return
    sender = getattr(sys.modules.get(f"{REPORTER}.utils.sender"), "TelemetrySender", None)
    if sender is not None:
        sender.send = lambda *_, **__: None
