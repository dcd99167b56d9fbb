"""What is done to single volumes before anything is learned from them: bias fields, quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.preprocessing.bias_field import N4, BiasCorrected


def correct_bias(
    source: Path,
    target: Path,
    how: N4,
    *,
    mask: Path | None = None,
    picture: Path | None = None,
    overwrite: bool = False,
) -> BiasCorrected:
    """Read an MR volume, divide it by its bias field, write it, and draw it if asked to.

    Raises:
        UsageError: a file is there already, or no format writes its suffix.
        InputError, GeometryError: as `preprocessing.bias_field.correct_bias`.
    """
    from hounsfield import formats
    from hounsfield.preprocessing.bias_field import correct_bias as correct

    formats.format_of(target)
    for path in filter(None, (target, picture)):
        if path.exists() and not overwrite:
            raise UsageError("exists already", file=path, remedy="--overwrite replaces it")
    image = formats.read(str(source))
    found = correct(image, formats.read(str(mask)) if mask else None, how)
    formats.write(found.image, target)
    if picture:
        from hounsfield.preprocessing.bias_figure import figure
        from hounsfield.preprocessing.figures import save

        save(figure(image, found), picture)
    return found
