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
    said: dict[str, Any] = {}
    for field in fields(Channel):
        values = [getattr(channel, field.name) for channel in image.channels]
        if any(value != field.default for value in values):
            said[field.name] = values[0] if len(set(values)) == 1 else values
    if isinstance(image.geometry, Plane) and image.geometry.calibration != "unknown":
        said["calibration"] = image.geometry.calibration
    if isinstance(image.geometry, Plane) and spacing:
        said["spacing"] = image.geometry.spacing
    # A header may cut the line into parts and strip them: a space is written as its code.
    return json.dumps(said, separators=(",", ":")).replace(" ", r"\u0020") if said else ""


def understood(text: str | None, count: int, file: Path) -> Remark:
    """What a line says of `count` channels.

    Raises:
        FormatError: a line that we would not have written.
    """
    if not text:
        return Remark()
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
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(
            f"the remark {text[:60]!r} about its channels is damaged", file=file,
            remedy="take the line out of the header, or convert again from the original",
        ) from error  # fmt: skip
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
