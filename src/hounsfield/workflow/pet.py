"""PET and the CT or MR of the same body, from a folder to one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.errors import InputError, UsageError
from hounsfield.files import refuse_existing
from hounsfield.workflow.data import Data
from hounsfield.workflow.preparing import about, refuse_target

if TYPE_CHECKING:
    from hounsfield.preprocessing.pet.pet_ct import Combined, Wanted


def pet_ct(
    folder: Data,
    target: Data,
    wanted: Wanted | None = None,
    *,
    figure: Path | None = None,
    overwrite: bool = False,
) -> Combined:
    """PET in SUV and CT or MR as two channels, written to `target`; with `figure`, how it moved.

    Raises:
        UsageError: a file is there already, no format of volumes writes the suffix, or a figure is
            asked of no registration.
        InputError, GeometryError: as `preprocessing.pet.pet_ct.load`, or there is no such folder.
    """
    from hounsfield import formats
    from hounsfield.formats.folder import contents
    from hounsfield.preprocessing.figures import refuse_suffix, save
    from hounsfield.preprocessing.pet.pet_ct import Wanted, load
    from hounsfield.preprocessing.pet.registration_figure import figure as drawn

    folder, target, wanted = Path(folder), Path(target), wanted or Wanted()
    refuse_target(target)
    refuse_suffix(figure)
    if figure is not None and not wanted.registered:
        raise UsageError("--figure shows a registration", remedy="add --register")
    if not folder.is_dir():
        problem = "this is a file" if folder.exists() else "there is no such folder"
        raise InputError(problem, file=folder, expected="a folder with one study's files")
    refuse_existing((target, figure), overwrite=overwrite)
    with about(folder):
        made = load(contents(folder).sources, wanted)
    formats.write(made.image, target)
    if figure is not None and made.registration is not None:
        save(drawn(made.body, made.pet, made.registration), figure)
    return made
