"""hounsfield masks STRUCTURES OUT --like IMAGE"""

from __future__ import annotations

from pathlib import Path


def masks(
    structures: Path,
    target: Path,
    /,
    *,
    like: Path,
    only: tuple[str, ...] = (),
    labels: bool = False,
    overwrite: bool = False,
) -> None:
    """The regions of a DICOM RTSTRUCT or SEG file as masks on the grid of an image.

    A voxel belongs to a region when its centre lies inside of the contours.
    Contours between slices and segmentations on other grids are told.

    Parameters
    ----------
    structures
        A file with an RT Structure Set or a segmentation.
    target
        The file to write, e.g. masks.nii.gz: a channel for each region, or a label map.
    like
        The image whose grid it is: a series' folder, one image of a folder (scans#2), or a file.
    only
        A region by its name or number; give the flag again for more. All by default.
    labels
        Write one label map whose values are the regions' numbers; they must not overlap.
    overwrite
        Replace what exists.
    """
    from rich.console import Console

    from hounsfield import formats
    from hounsfield.errors import UsageError
    from hounsfield.formats.dicom.masks import masks as made_masks

    if target.exists() and not overwrite:
        raise UsageError("exists already", file=target, remedy="--overwrite replaces it")
    formats.format_of(target)
    image = made_masks(structures, formats.header(like), only=only, labels=labels)
    formats.write(image, target)
    out = Console(soft_wrap=True, highlight=False)
    out.print(f"{target}: {image}", markup=False)
    as_labels = image.stored["values"] == "labels"
    for place, one in enumerate(image.stored["segments"], 1):
        where = f"value {one['number']}" if as_labels else f"channel {place}"
        out.print(f"{where}: {one['label']}", markup=False)
    for note in image.stored["notes"]:
        out.print(f"Note: {note}", markup=False)
