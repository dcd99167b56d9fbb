"""What tells the volumes of one DICOM series apart: times, echoes, diffusion weightings."""

from __future__ import annotations

import re
from typing import NamedTuple

from hounsfield.formats.dicom.tags import Tags


class Marks(NamedTuple):
    """What tells the volumes of one series apart, where the file says it."""

    acquisition: float | None = None
    temporal: float | None = None
    trigger: float | None = None  # ms after the R wave
    echo: float | None = None  # ms
    b_value: float | None = None  # s/mm²
    direction: tuple[float, ...] | None = None
    time: float | None = None  # s since midnight
    number: float = 0.0  # InstanceNumber
    frame: float = 0.0  # within the file, or within the files that it was cut into

    @property
    def order(self) -> tuple[tuple[float, ...], ...]:
        """Frames at one place are volumes in this order, the scanner's own numbers first.

        Within an enhanced file the temporal position goes before the order of the frames, which
        means nothing (PS3.3 C.7.6.16).
        """
        said = (
            self.number, self.temporal, self.frame,
            self.acquisition, self.time, self.trigger, self.echo, self.b_value,
        )  # fmt: skip
        told = (() if value is None else (value,) for value in said)
        return *told, self.direction or ()


def marks_of(tags: Tags, same: Marks | None = None) -> Marks:
    """What tells a file's volume apart; `same` has what its series repeats."""
    number = tags.soft_number("InstanceNumber") or 0.0
    moment = clock(
        tags.text("AcquisitionTime")
        or (tags.text("AcquisitionDateTime") or "")[8:]
        or tags.text("ContentTime")
    )
    if same is None:
        same = Marks(tags.soft_number("AcquisitionNumber"), echo=tags.soft_number("EchoTime"))
    return Marks(
        same.acquisition,
        tags.soft_number("TemporalPositionIdentifier"),
        tags.soft_number("TriggerTime"),
        same.echo,
        _b_value(tags),
        tuple(tags.numbers("DiffusionGradientOrientation")) or None,
        moment,
        number,
    )


def _b_value(tags: Tags) -> float | None:
    for name in ("DiffusionBValue", "SiemensBValue", "PhilipsBFactor"):
        value = tags.soft_number(name)
        if value is not None:
            return value
    value = tags.soft_number("GEBValues")
    return None if value is None else value % 1_000_000  # GE adds 10⁹ to mark a shell


def clock(text: str | None) -> float | None:
    """Seconds since midnight of a DICOM time, HHMMSS.FFFFFF (PS3.5 6.2 TM)."""
    digits = (text or "").replace(":", "")
    if len(digits) < 6 or not digits[:6].isdigit():
        return None
    seconds = re.split("[+-]", digits[4:])[0]  # a DT ends in its offset from UTC
    try:
        return int(digits[:2]) * 3600.0 + int(digits[2:4]) * 60.0 + float(seconds)
    except ValueError:
        return None
