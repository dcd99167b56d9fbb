"""hounsfield pet-ct FOLDER OUT"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def pet_ct(
    folder: Path,
    target: Path,
    /,
    *,
    grid: Literal["pet", "ct"] = "pet",
    register: bool = False,
    suv: Literal["bw", "lbm", "lbm-james", "bsa"] = "bw",
    pet: int | None = None,
    body: int | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> None:
    """PET in SUV and the CT or MR of the same body as two channels on one grid.

    Parameters
    ----------
    folder
        One study: DICOM files in any folders.
    target
        The file to write, e.g. pet_ct.nii.gz. Channel 1 is the PET, channel 2 the CT or MR.
    grid
        Whose voxels: the PET's, or the CT's (or MR's).
    register
        First move the PET rigidly to where it tells most about the other (mutual information).
        Without it, both must tell one frame of reference.
    suv
        By body weight, lean body mass (Janmahasatian, or James as in PERCIST) or body surface.
    pet
        The number of the PET in the list that an error shows, where there are several.
    body
        The number of the CT or MR.
    figure
        Draw before and after the registration as a PNG: look at it.
    overwrite
        Replace what exists.
    """
    from rich.console import Console

    from hounsfield import workflow
    from hounsfield.preprocessing.pet.pet_ct import Wanted

    wanted = Wanted(grid, register, suv, pet, body)
    made = workflow.pet_ct(folder, target, wanted, figure=figure, overwrite=overwrite)
    out = Console(soft_wrap=True, highlight=False)
    out.print(f"{target}: {made.image}", markup=False)
    for number, channel in enumerate(made.image.channels, 1):
        told = f"{channel.name}, {channel.unit}" if channel.unit else channel.name
        out.print(f"channel {number}: {told}", markup=False)
    if made.pair.same_frame:
        out.print(
            f"one frame of reference; {made.pair.covered:.0%} of the PET lies in the "
            f"{made.pair.modality}",
            markup=False,
        )
    if made.registration is not None:
        out.print(f"The PET was {made.registration}", markup=False)
    if figure is not None:
        out.print(f"{figure}", markup=False)
