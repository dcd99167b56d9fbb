"""Films: frames of one scene, one after the other (ultrasound, angiography, endoscopy).

PS3.3 C.7.6.5 (Cine) and C.7.6.6 (Multi-frame): FrameTime or FrameTimeVector in ms, or a rate.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats.dicom.tags import PixelForm, Tags


def is_film(tags: Tags, form: PixelForm) -> bool:
    """Whether a file's frames follow each other in time."""
    timed = ("FrameTime", "FrameTimeVector", "CineRate")
    return form.frames > 1 and any(tags.soft_number(name) is not None for name in timed)


def frame_times(tags: Tags, frames: int) -> list[float | None]:
    """When each frame begins, in s after the first; None where the file does not say."""
    if "FrameTimeVector" in tags:
        steps = tags.numbers("FrameTimeVector")
        if len(steps) == frames:
            return [round(ms / 1000, 6) for ms in accumulate([0.0, *steps[1:]])]
    step = tags.soft_number("FrameTime") or 0.0
    rate = tags.soft_number("CineRate") or 0.0
    step = step or (1000 / rate if rate > 0 else 0.0)
    return [round(i * step / 1000, 6) if step > 0 else None for i in range(frames)]


def as_film(array: NDArray[Any]) -> NDArray[Any]:
    """(samples, frames, rows, columns) -> (frames × samples, 1, rows, columns)."""
    samples, frames, rows, columns = array.shape
    return np.ascontiguousarray(array.swapaxes(0, 1)).reshape(frames * samples, 1, rows, columns)
