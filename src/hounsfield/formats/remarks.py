"""What a foreign header has no field for, in one line of JSON that we write and understand.

What the channels are, the pixel size of slices that have no place, and where it was measured.
Other tools pass over it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from hounsfield.errors import FormatError
from hounsfield.geometry import Calibration, Plane
from hounsfield.image import Channel, Image

KEY = "hounsfield"  # what the line is called where a header has named fields
_WORDS = ("name", "unit", "colour")


@dataclass(frozen=True)
class Remark:
    """What was said; empty and "unknown" where nothing was."""

    channels: tuple[Channel, ...] = ()
    calibration: Calibration = "unknown"
    spacing: tuple[float, float] | None = None

    @property
    def plane(self) -> Plane | None:
        return Plane(self.spacing, self.calibration) if self.spacing else None


def remark(image: Image, *, spacing: bool = False) -> str:
    """The line, ASCII; empty where there is nothing to say. `spacing`: a plane's, too."""
    said = _columns(image.channels)
    if isinstance(image.geometry, Plane) and image.geometry.calibration != "unknown":
        said["calibration"] = image.geometry.calibration
    if isinstance(image.geometry, Plane) and spacing:
        said["spacing"] = image.geometry.spacing
    return _line(said)


def said_of(channels: Sequence[Channel]) -> str:
    """The line of channels alone, for a header that says where the slices are by itself."""
    return _line(_columns(channels))


def _columns(channels: Sequence[Channel]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for field in fields(Channel):
        values = [getattr(channel, field.name) for channel in channels]
        if any(value != field.default for value in values):
            said[field.name] = values[0] if len(set(values)) == 1 else values
    return said


def _line(said: dict[str, Any]) -> str:
    # A header may cut the line into parts and strip them: a space is written as its code.
    return json.dumps(said, separators=(",", ":")).replace(" ", r"\u0020") if said else ""


def understood(text: str | None, count: int, file: Path) -> Remark:
    """What a line says of `count` channels.

    Raises:
        FormatError: a line that we would not have written.
    """
    if not text:
        return Remark()
    found = parsed(text, count)
    if found is None:
        raise FormatError(
            f"the remark {text[:60]!r} about its channels is damaged", file=file,
            remedy="take the line out of the header, or convert again from the original",
        )  # fmt: skip
    return found


def parsed(text: str, count: int) -> Remark | None:
    """What a line says of `count` channels; None where we would not have written it."""
    try:
        said = json.loads(text)
        calibration, spacing = said.pop("calibration", "unknown"), said.pop("spacing", None)
        columns = {name: _column(name, value, count) for name, value in said.items()}
        if calibration not in get_args(Calibration):
            raise ValueError(calibration)
        spacing = tuple(map(float, spacing)) if spacing is not None else None
        channels = tuple(
            Channel(**{name: column[i] for name, column in columns.items()}) for i in range(count)
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return Remark(channels if columns else (), calibration, spacing)


def _column(name: str, value: Any, count: int) -> Sequence[Any]:
    """One value for each channel, of the type that the field has."""
    column: list[Any] = value if isinstance(value, list) else [value] * count
    for one in column:
        fits = isinstance(one, str) if name in _WORDS else isinstance(one, int | float)
        if one is not None and not fits:
            raise ValueError(name)
    if len(column) != count:
        raise ValueError(f"{len(column)} for {count}")
    return column
