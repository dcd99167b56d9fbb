"""A quick look at an image in the terminal: two pixels a character, above each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.text import Text

    from hounsfield.formats import Opened
    from hounsfield.image import Image

COLUMNS, LINES = 64, 36  # characters at most
HALF = "▀"  # the upper pixel is its colour, the lower one its ground


def can_show(out: Console) -> bool:
    """A terminal with enough colours; never a pipe or a file."""
    return (
        sys.stdout.isatty()
        and out.color_system in ("truecolor", "256")
        and out.encoding.startswith("utf")
    )


def look(
    opened: Opened,
    out: Console,
    channel: str | None = None,
    window: tuple[float, float] | None = None,
) -> None:
    """Draw the middle slice, or say in a sentence why it cannot be drawn.

    Raises:
        UsageError: there is no such channel.
    """
    from hounsfield.errors import HounsfieldError, UsageError
    from hounsfield.reports.planes import cut, grey, number, sides_known

    try:
        image, which = chosen(opened, channel)
    except UsageError:
        raise
    except HounsfieldError as error:
        out.print(f"No quick look: {error.problem}", markup=False)
        return
    ((drawn,), ends) = grey(
        [cut(image.array, image.geometry, 2, 0)], window or opened.header.facts.window
    )
    out.print(text_of(small(drawn.pixels, drawn.step, out.width)))
    slices, unit = opened.header.shape[1], image.channels[0].unit
    words = [drawn.title, f"slice {slices // 2} of 0 to {slices - 1}" if slices > 1 else "", which]
    if drawn.edges and sides_known(image):
        words.append(f"{drawn.edges[0]} on the left, {drawn.edges[2]} above")
    if ends is not None:
        dark, bright = map(number, ends)
        words.append(f"black {dark}, white {bright}{f' {unit}' if unit else ''}")
    out.print(", ".join(filter(None, words)), style="dim", markup=False)


def chosen(opened: Opened, channel: str | None = None, *, whole: bool = False) -> tuple[Image, str]:
    """One channel of the middle slice, or of the whole volume; and which it is, in words.

    Of a film one frame alone is read, the middle one if none is named.
    """
    from hounsfield import formats
    from hounsfield.reports.planes import layer

    count = _frames(opened)
    if count > 1:
        number = _number(channel, count)
        frame = replace(opened.source, frames=(number, number + 1))
        image, _ = layer(formats.read(frame), None)
        time = image.channels[0].time
        at = f" ({time:g} s)" if time is not None else ""
        return image, f"frame {number} of 0 to {count - 1}{at}"
    middle = opened.header.shape[1] // 2
    return layer(opened.read() if whole else opened.slab(middle, middle + 1), channel)


def _frames(opened: Opened) -> int:
    """How many frames a film has that can be read one by one; 1 for what is no film."""
    header, source = opened.header, opened.source
    count, depth = header.shape[:2]
    if source.frames is not None or source.member is not None or depth > 1:
        return 1
    if header.format == "video":
        return count // 3
    alone = header.format == "dicom" and len(source.paths) == 1 and header.geometry is None
    if not alone or not header.channels:
        return 1
    return count // 3 if header.channels[0].colour else count


def _number(wanted: str | None, count: int) -> int:
    from hounsfield.errors import UsageError

    if wanted is None:
        return count // 2
    if not wanted.isdigit() or int(wanted) >= count:
        raise UsageError(f"no frame {wanted!r}", expected=f"0 to {count - 1}")
    return int(wanted)


def small(
    pixels: NDArray[np.uint8], step: tuple[float, float], width: int = 80
) -> NDArray[np.uint8]:
    """A picture (rows, columns[, 3]) as (2 lines, characters, 3), its proportions kept."""
    import numpy as np
    from PIL import Image as Picture

    rows, columns = pixels.shape[:2]
    tall, wide = rows * step[1], columns * step[0]
    scale = min(min(COLUMNS, width) / wide, 2 * LINES / tall)
    size = max(1, round(wide * scale)), max(1, round(tall * scale))
    picture = Picture.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    resized = np.asarray(picture.resize(size, Picture.Resampling.BOX))
    return resized if size[1] % 2 == 0 else np.concatenate((resized, 0 * resized[:1]))


def text_of(pixels: NDArray[Any]) -> Text:
    """Pixels (2 lines, characters, 3) as coloured half blocks."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    text = Text(no_wrap=True, end="")
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            text.append(HALF, style)
        text.append("\n")
    return text
