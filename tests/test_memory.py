"""Buffers of images are used again: counted as pages that the kernel had to give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from folders import dicom

FAULTS = """
import sys, threading
from resource import RUSAGE_SELF, getrusage
from hounsfield import formats
from hounsfield.memory import keep_buffers

def images():
    for _ in range(20):
        formats.read(sys.argv[2])

if sys.argv[1] == "kept":
    keep_buffers()
for _ in range(2):
    before = getrusage(RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=images)
    thread.start()
    thread.join()
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep buffers by themselves")
def test_a_freed_image_makes_room_for_the_next(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (1024, 1024))
    file = dicom(tmp_path / "1.dcm", pixels)
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", FAULTS, how, file]))
        for how in ("kept", "by default")
    }
    assert faults["kept"] < 0.1 * faults["by default"]
