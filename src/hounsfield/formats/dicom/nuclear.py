"""Reconstructed volumes of nuclear medicine: the frames of one file, placed by vectors.

PS3.3 C.8.4.8 and C.8.4.15: the detector's item says where the first slice lies; SliceVector says
which slice a frame is, and the sign of SpacingBetweenSlices on which side the others lie.
"""

from __future__ import annotations

from collections.abc import Iterator

from hounsfield.errors import GeometryError
from hounsfield.formats.dicom.tags import Tags

_RECONSTRUCTED = ("RECON TOMO", "RECON GATED TOMO")
_APART = ("EnergyWindowVector", "DetectorVector", "RRIntervalVector")  # other images, not times


def detector_of(tags: Tags) -> Tags | None:
    """Where the first slice lies, as of a classic slice; None where the file does not say.

    Projections and planar pictures have no slices, and are no volume.
    """
    if not set(_RECONSTRUCTED) & set(tags.texts("ImageType")):
        return None
    items = tags.items("DetectorInformationSequence")
    if len(items) != 1 or "SliceVector" not in tags or "SpacingBetweenSlices" not in tags:
        return None
    placed = Tags(items[0], tags.path)
    needed = ("ImagePositionPatient", "ImageOrientationPatient")
    return placed if all(name in placed for name in needed) else None


def slices(tags: Tags, frames: int) -> Iterator[tuple[float, float, str]]:
    """Of each frame: mm along the normal from the first slice, its time slot, its kind.

    Raises:
        GeometryError: a vector that does not have a number for each frame.
    """
    distance = tags.number("SpacingBetweenSlices")
    vectors = {name: tags.numbers(name) for name in ("SliceVector", "TimeSlotVector", *_APART)}
    for name, vector in vectors.items():
        if vector and len(vector) != frames:
            raise GeometryError(
                f"{name} has {len(vector)} numbers for {frames} frames",
                file=tags.path,
                expected="one for each (PS3.3 C.8.4.8)",
            )
    times = vectors["TimeSlotVector"] or [0.0] * frames
    for index, number in enumerate(vectors["SliceVector"]):
        kind = " ".join(f"{vectors[name][index]:g}" for name in _APART if vectors[name])
        yield (number - 1) * distance, times[index], kind
