"""A CT image as a window by organ shows it."""

from __future__ import annotations

from dataclasses import replace

from hounsfield.errors import InputError
from hounsfield.formats.choices import windowed
from hounsfield.formats.windows import named_window
from hounsfield.image import Image


def window(image: Image, name: str) -> Image:
    """HU clipped to a named window and scaled to [0, 1], float32; NaN stays NaN.

    The names are those of `hounsfield.formats.windows.WINDOWS`; the channels lose their unit.

    Raises:
        UsageError: no window has this name.
        InputError: a channel says that its values are no HU.
    """
    centre, width = named_window(name)
    refuse_other_units(image, "a CT window")
    channels = tuple(replace(channel, unit=None) for channel in image.channels)
    return Image(windowed(image.array, centre, width), image.geometry, channels)


def refuse_other_units(image: Image, what: str) -> None:
    """Refuse values that say they are no HU; values that say nothing are believed.

    Raises:
        InputError: a channel has another unit.
    """
    for channel in image.channels:
        if channel.unit not in (None, "", "HU"):
            raise InputError(
                f"the image's values are in {channel.unit}",
                expected=f"HU: {what} is of CT",
                remedy="for other values give a centre and a width of your own",
            )
