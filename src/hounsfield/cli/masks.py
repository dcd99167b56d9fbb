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
    channels: bool = False,
    overwrite: bool = False,
) -> None:
    """The regions of a DICOM RTSTRUCT or SEG file as masks on the grid of an image.

    A voxel belongs to a region when its centre lies inside of the contours.
    Contours between slices and segmentations on other grids are told. Regions that do not
    overlap become one label map, whose values are their numbers; others a channel each.

    Parameters
    ----------
    structures
        A file with an RT Structure Set or a segmentation (or one of a folder: scans#2).
    target
        The file to write, e.g. masks.nii.gz.
    like
        The image whose grid it is: a series' folder, one image of a folder (scans#2), or a file.
    only
        A region by its name or number; give the flag again for more. All by default.
    labels
        One label map, or nothing: regions that overlap are refused.
    channels
        A channel of 0 and 1 for each region, even where they do not overlap.
    overwrite
        Replace what exists.
    """
    from rich.console import Console

    from hounsfield import formats
    from hounsfield.errors import UsageError
    from hounsfield.files import refuse_existing
    from hounsfield.formats.dicom.masks import grid_of
    from hounsfield.formats.dicom.masks import masks as made_masks
    from hounsfield.workflow.preparing import about, refuse_target

    if labels and channels:
        raise UsageError("a label map and a channel each", remedy="--labels or --channels")
    refuse_existing((target,), overwrite=overwrite)
    with about(like):
        head = formats.header(like)
        grid = grid_of(head)
    refuse_target(target, (1, *grid.shape))
    asked = True if labels else False if channels else None
    with about(structures):
        image = made_masks(structures, head, only=only, labels=asked)
    formats.write(image, target)
    out = Console(soft_wrap=True, highlight=False)
    out.print(f"{target}: {image}", markup=False)
    as_labels = image.stored["values"] == "labels"
    for place, one in enumerate(image.stored["segments"], 1):
        where = f"value {one['number']}" if as_labels else f"channel {place}"
        out.print(f"{where}: {one['label']}", markup=False)
    for note in image.stored["notes"]:
        out.print(f"Note: {note}", markup=False)
