"""hounsfield convert IN OUT"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

    from hounsfield.formats.conversion import Choices

MOST_NAMED = 5


def convert(
    source: Path,
    target: Path,
    /,
    *,
    window: tuple[float, float] | None = None,
    voi: bool = False,
    bits: Literal[8, 16] = 8,
    plane: int | None = None,
    to: str = ".nii.gz",
    overwrite: bool = False,
) -> None:
    """Convert an image, or a folder of them, to another format.

    The format follows the target's suffix: .nii.gz, .nii, .png, .tif or .npy. Values are kept
    exactly; where the target cannot hold them, it says so and asks for a choice. What else has
    no place in the target (the pixel size in a PNG) is told.

    Parameters
    ----------
    source
        A file, one image of a file (scan.npz#train_images/17), or a folder.
    target
        The file to write; for a folder, the folder that gets the same tree.
    window
        Centre and width: what lies between becomes the whole range of grey.
    voi
        The file's own window or VOI LUT does that.
    bits
        Of a windowed picture.
    plane
        Only this slice or frame, counted from 0.
    to
        The suffix to write, when a folder is converted.
    overwrite
        Replace what exists.
    """
    from rich.console import Console

    from hounsfield.formats.conversion import Choices
    from hounsfield.formats.conversion import convert as convert_one

    choices = Choices(window, voi, bits, plane, overwrite)
    out = Console(soft_wrap=True, highlight=False)
    if source.is_dir():
        _folder(source, target, to, choices, out)
        return
    notes = convert_one(source, target, choices)
    out.print(f"{target}", markup=False)
    for note in notes:
        out.print(f"Note: {note}", markup=False)


def _folder(source: Path, target: Path, to: str, choices: Choices, out: Console) -> None:
    from collections import Counter, defaultdict

    from hounsfield.catalog.findings import counted
    from hounsfield.errors import InputError
    from hounsfield.formats.conversion import convert_folder

    if target.suffix and not target.is_dir():
        raise InputError(
            "a folder becomes a folder, not a file", file=target, remedy=f"give a folder, --to {to}"
        )
    suffix = to if to.startswith(".") else f".{to}"
    written, notes, failed = 0, Counter[str](), defaultdict[str, list[Path]](list)
    for done in convert_folder(source, target, suffix, choices):
        written += done.reason is None
        notes.update(re.sub(r" \([^)]*\)", "", note) for note in done.notes)  # without its sizes
        if done.reason:
            failed[done.reason].append(done.source.relative_to(source))
    out.print(f"{counted(written, 'image')} written to {target}", markup=False)
    for note, count in notes.most_common():
        out.print(f"Note ({count}×): {note}", markup=False)
    for reason, files in sorted(failed.items(), key=lambda one: -len(one[1])):
        out.print(f"Not converted ({len(files)}×): {reason}: {_named(files)}", markup=False)
    if not written:
        raise InputError(
            "no image was converted",
            file=source,
            expected="a folder with images that can be read",
            remedy="`hounsfield info FOLDER` says what is in it",
        )


def _named(files: list[Path]) -> str:
    """The first files whose names say nothing of a person."""
    from hounsfield.catalog.pseudonym import plain_path

    shown = [file.as_posix() for file in files if plain_path(file)][:MOST_NAMED]
    if not shown:
        return "(names hidden: `hounsfield info FOLDER --phi` shows them)"
    return ", ".join(shown) + (", …" if len(files) > len(shown) else "")
