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
    organ: str | None = None,
    voi: bool = False,
    bits: Literal[8, 16] = 8,
    plane: int | None = None,
    channel: int | None = None,
    suv: Literal["bw", "lbm", "lbm-james", "bsa"] | None = None,
    fill_gaps: bool = False,
    straight: bool = False,
    to: str = ".nii.gz",
    overwrite: bool = False,
    phi: bool = False,
) -> None:
    """Convert an image, a DICOM series, or a folder of them, to another format.

    The format follows the target's suffix (.nii.gz, .nrrd, .mha, .mgz, .png, .tif, .npy, …).
    Values are kept exactly; where the target cannot hold them, it says so and asks for a choice.
    What else has no place in the target (the pixel size in a PNG) is told.

    Parameters
    ----------
    source
        A file, one image of it (scan.npz#train_images/17), a series' folder, one image of a
        folder (scans#2, as `hounsfield info` numbers them), or a folder of many.
    target
        The file to write; or a folder, which gets a file for each image, in the same tree.
    window
        Centre and width: what lies between becomes the whole range of grey.
    organ
        A CT window by its name: lung, bone, brain, liver, soft-tissue and others.
    voi
        The file's own window or VOI LUT does that.
    bits
        Of a windowed picture.
    plane
        Only this slice or frame, counted from 0.
    channel
        Only this volume of several (time, echo, contrast, band), counted from 0.
    suv
        PET in standardized uptake values: by body weight, lean body mass or surface.
    fill_gaps
        Resample slices that are missing, doubled or unevenly spaced onto an even grid.
    straight
        Resample slices that lean (a tilted gantry) onto a straight grid.
    to
        The suffix to write, where the target is a folder.
    overwrite
        Replace what exists.
    phi
        Name files that could not be converted also where a name may be a person's.
    """
    from rich.console import Console

    from hounsfield.formats.conversion import Choices
    from hounsfield.formats.conversion import convert as convert_one
    from hounsfield.formats.folder_conversion import file_name

    choices = Choices(window, organ, voi, bits, plane, channel, suv, fill_gaps, straight, overwrite)
    out = Console(soft_wrap=True, highlight=False)
    suffix = to if to.startswith(".") else f".{to}"
    if source.is_dir() and not _names_a_file(target):
        _folder(source, target, suffix, choices, phi=phi)
        return
    if target.is_dir():
        target = target / file_name(source, suffix)
    notes = convert_one(source, target, choices)
    out.print(f"{target}", markup=False)
    for note in notes:
        out.print(f"Note: {note}", markup=False)


def _names_a_file(target: Path) -> bool:
    """Whether a target is a file's name; a folder may have a dot in its name, too."""
    from hounsfield import formats
    from hounsfield.errors import UsageError

    if target.is_dir() or not target.suffix:
        return False
    try:
        return bool(formats.format_of(target))
    except UsageError:
        if re.fullmatch(r"\.\d+", target.suffix):
            return False
        raise


def _folder(source: Path, target: Path, suffix: str, choices: Choices, *, phi: bool) -> None:
    from collections import Counter, defaultdict

    from hounsfield.catalog.findings import counted
    from hounsfield.cli.console import Terminal
    from hounsfield.errors import InputError
    from hounsfield.formats.folder_conversion import convert_folder

    written, kept, notes = 0, 0, Counter[str]()
    failed, others = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
    watch = Terminal(times=False)
    out = watch.out
    with watch.stage("converting"):
        for done in convert_folder(source, target, suffix, choices, watch):
            kept += done.kept
            written += done.reason is None and not done.kept
            notes.update(re.sub(r" \([^)]*\)", "", note) for note in done.notes)  # without sizes
            if done.reason:
                kind = others if done.harmless else failed
                kind[done.reason].append(done.source.relative_to(source))
    out.print(f"{counted(written, 'image')} written to {target}", markup=False)
    if kept:
        out.print(f"{counted(kept, 'image')} there already; --overwrite replaces", markup=False)
    for note, count in notes.most_common():
        out.print(f"Note ({count}×): {note}", markup=False)
    _tell("No image", others, out, phi=phi)
    _tell("NOT CONVERTED", failed, out, phi=phi)
    if lost := sum(map(len, failed.values())):
        raise InputError(
            f"{counted(lost, 'image')} could not be converted",
            file=source,
            expected="files that can be read",
            remedy="--phi names them, also where a name may be a person's",
        )
    if not written and not kept:
        raise InputError(
            "there is no image", file=source, remedy="`hounsfield info FOLDER` says what is in it"
        )


def _tell(title: str, group: dict[str, list[Path]], out: Console, *, phi: bool) -> None:
    """The files that gave no image, by their reasons, the most frequent first."""
    for reason, files in sorted(group.items(), key=lambda one: -len(one[1])):
        out.print(f"{title} ({len(files)}×): {reason}: {_named(files, phi)}", markup=False)


def _named(files: list[Path], phi: bool) -> str:
    """The first files whose names say nothing of a person."""
    from hounsfield.catalog.pseudonym import plain_path

    shown = [file.as_posix() for file in files if phi or plain_path(file)][:MOST_NAMED]
    if not shown:
        return "(names hidden: --phi shows them)"
    return ", ".join(shown) + (", …" if len(files) > len(shown) else "")
