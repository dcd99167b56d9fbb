"""The placed frames of DICOM files: where each picture lies in the patient, and in which volume.

A classic file is one frame; an enhanced file has functional groups for each (PS3.3 C.7.6.16); a
mosaic has one tile for each; a dose grid one offset for each (PS3.3 C.8.8.3.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import NotAnImage
from hounsfield.formats.dicom import groups
from hounsfield.formats.dicom.elements import Element, Elements
from hounsfield.formats.dicom.file import DicomFile, open_dicom
from hounsfield.formats.dicom.geometry import (
    Vector,
    along,
    checked_axes,
    checked_place,
    dot,
    normal_of,
    pixel_spacing,
    slice_thickness,
)
from hounsfield.formats.dicom.marks import Marks, marks_of
from hounsfield.formats.dicom.nuclear import detector_of, slices
from hounsfield.formats.dicom.pixels import check_pixels
from hounsfield.formats.dicom.siemens import Mosaic, mosaic_of
from hounsfield.formats.dicom.tags import (
    SEGMENTATIONS,
    TAG,
    WANTED,
    PixelForm,
    Tags,
    no_pixels,
    pixel_form,
)
from hounsfield.formats.dicom.values import Scale, scale_of
from hounsfield.formats.guard import refusing


@dataclass(frozen=True, eq=False)
class Sheet:
    """A file whose header has been read: what reading its pixels needs."""

    file: DicomFile
    form: PixelForm
    scale: Scale
    kind: tuple[object, ...]  # must agree within a volume
    uid: str | None  # the SOP Instance's
    fault: FormatError | None = None  # its pixels are not all there


class Frame(NamedTuple):
    """One placed picture: `position` is its first voxel's centre in LPS mm."""

    sheet: Sheet
    number: int  # within its file
    position: Vector
    cosines: tuple[float, ...]  # along the rows, then down the columns
    spacing: tuple[float, float]  # x, y in mm
    thickness: float | None
    line: tuple[float, float]  # slope, intercept
    marks: Marks
    part: str = ""  # stack or kind of frame within an enhanced file
    tile: tuple[int, int, int, int] | None = None  # rows and columns within a mosaic


# What decides form and scale; files of a series repeat it, so its parsing is remembered
_SHARED = tuple(
    TAG[name]
    for name in (
        "Modality", "ImageType", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
        "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
        "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
        "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "ImageOrientationPatient",
        "RescaleSlope", "RescaleIntercept", "RescaleType", "Units", "DoseUnits",
        "DoseGridScaling", "AcquisitionNumber", "EchoTime", "GERawDataType",
    )
)  # fmt: skip
_ALONE = tuple(  # files with one of these are parsed whole
    TAG[name]
    for name in (
        "ModalityLUTSequence", "PerFrameFunctionalGroupsSequence", "DetectorInformationSequence",
    )
)  # fmt: skip
_REMEMBERED = 64


@dataclass(eq=False)
class Scanner:
    """Reads headers; what the files of a series have in common is parsed once."""

    known: dict[tuple[object, ...], tuple[Sheet, Frame]] = field(default_factory=dict)

    def frames(self, path: Path) -> tuple[Sheet, list[Frame]]:
        """A file's frames; none where they have no place in the patient.

        Raises:
            FormatError: no image, damaged, or more pixels promised than there are.
            GeometryError: an orientation or spacing that is none.
        """
        with refusing(path, "the header"):
            return self.frames_of(open_dicom(path, WANTED))

    def frames_of(self, file: DicomFile) -> tuple[Sheet, list[Frame]]:
        """The same of a file that is open already."""
        with refusing(file.path, "the header"):
            tags = Tags(file.elements, file.path)
            if file.pixels is None:
                missing = no_pixels(file, tags)
                if isinstance(missing, NotAnImage) or "ImagePositionPatient" not in tags:
                    raise missing
                return self._whole(file, tags, None)  # it has its place, and a fault
            shared = self._shared(file, file.pixels)
            if shared is None or shared not in self.known:
                return self._whole(file, tags, shared)
            like, first = self.known[shared]
            fault, uid = _fault(file, like.form), tags.text("SOPInstanceUID")
            sheet = replace(like, file=file.closed(), fault=fault, uid=uid)
            place = first._replace(
                sheet=sheet, position=_vector(tags), marks=marks_of(tags, first.marks)
            )
            return sheet, [place]

    def _whole(
        self, file: DicomFile, tags: Tags, shared: tuple[object, ...] | None
    ) -> tuple[Sheet, list[Frame]]:
        form = pixel_form(file, tags)
        fault = _fault(file, form) if file.pixels else no_pixels(file, tags)
        uid = tags.text("SOPInstanceUID")
        sheet = Sheet(file.closed(), form, scale_of(tags, form), _kind(tags, form), uid, fault)
        apart = tags.text("SOPClassUID") in SEGMENTATIONS  # `seg` places their frames
        frames = [] if apart else list(_frames(tags, sheet))
        if fault is not None and not frames:
            raise fault
        if shared is not None and fault is None and len(frames) == 1 and frames[0].tile is None:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[shared] = sheet, frames[0]
        return sheet, frames

    @staticmethod
    def _shared(file: DicomFile, pixels: Element) -> tuple[object, ...] | None:
        elements = file.elements
        if any(tag in elements for tag in _ALONE) or TAG["SeriesInstanceUID"] not in elements:
            return None
        found, buffer = elements.found, elements.buffer
        placed = TAG["ImagePositionPatient"] in elements
        parts: list[object] = [file.syntax, pixels.tag, elements.coding, placed]
        for tag in _SHARED:
            one = found.get(tag)
            parts.append(None if one is None else buffer[one.start : one.start + one.length])
        return tuple(parts)


def _fault(file: DicomFile, form: PixelForm) -> FormatError | None:
    """Why a file's pixels cannot be read; its place still counts, or a volume would shrink."""
    try:
        check_pixels(file, form)
    except FormatError as error:
        return error
    return None


def _kind(tags: Tags, form: PixelForm) -> tuple[object, ...]:
    """What must agree within a volume; a file that names no series stays in its folder."""
    named = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality")
    alone = None
    if "SeriesInstanceUID" not in tags:
        alone = tags.text("PatientID"), tags.text("SeriesNumber"), tags.path.parent
    return (
        *(tags.text(name) for name in named), alone,
        *tags.texts("ImageType"), tags.soft_number("GERawDataType"),
        form.rows, form.columns, form.samples, form.photometric, form.kind == "f",
    )  # fmt: skip


def _frames(tags: Tags, sheet: Sheet) -> Iterator[Frame]:
    if "PerFrameFunctionalGroupsSequence" in tags:
        yield from _enhanced(tags, sheet)
        return
    spacing, nuclear = pixel_spacing(tags), detector_of(tags)
    placed = nuclear or tags
    where = ("ImageOrientationPatient", "ImagePositionPatient")
    if not spacing or not all(name in placed for name in where):
        return
    cosines = checked_axes(placed.numbers("ImageOrientationPatient"), tags.path)
    one = Frame(
        sheet, 0, _vector(placed), cosines, spacing, slice_thickness(tags),
        (sheet.scale.slope, sheet.scale.intercept), marks_of(tags),
    )  # fmt: skip
    mosaic = mosaic_of(tags, sheet.form)
    if nuclear is not None:
        yield from _nuclear(tags, one)
    elif mosaic is not None:
        yield from _tiles(tags, one, mosaic)
    elif "GridFrameOffsetVector" in tags and sheet.form.frames > 1:
        yield from _dose(tags, one)
    elif sheet.form.frames == 1:
        yield one


def _vector(tags: Tags) -> Vector:
    return checked_place(tags.numbers("ImagePositionPatient"), tags.path)


def _tiles(tags: Tags, one: Frame, mosaic: Mosaic) -> Iterator[Frame]:
    """A mosaic's position is that of the whole picture, laid about the centre of a slice."""
    distance = tags.soft_number("SpacingBetweenSlices") or tags.soft_number("SliceThickness")
    if not distance:
        raise GeometryError(
            "a mosaic without SpacingBetweenSlices and SliceThickness",
            file=tags.path,
            remedy="export the series again",
        )
    distance = abs(distance)
    form = one.sheet.form
    rows, columns = form.rows // mosaic.side, form.columns // mosaic.side
    row, column = one.cosines[:3], one.cosines[3:]
    start = along(one.position, row, (form.columns - columns) / 2 * one.spacing[0])
    start = along(start, column, (form.rows - rows) / 2 * one.spacing[1])
    normal = normal_of(one.cosines)
    towards = mosaic.normal or normal
    if dot(normal, towards) < 0:
        distance = -distance
    for number in range(mosaic.slices):
        yield one._replace(
            position=along(start, normal, number * distance),
            thickness=abs(distance),
            tile=mosaic.tile(number, form),
        )


def _nuclear(tags: Tags, one: Frame) -> Iterator[Frame]:
    """The slices of a reconstruction, and its times where it was gated."""
    normal = normal_of(one.cosines)
    for index, (mm, slot, kind) in enumerate(slices(tags, one.sheet.form.frames)):
        yield one._replace(
            number=index,
            position=along(one.position, normal, mm),
            marks=one.marks._replace(temporal=slot, frame=float(index)),
            part=kind,
        )


def _dose(tags: Tags, one: Frame) -> Iterator[Frame]:
    """Offsets from the first plane, or, where the first is not 0, z coordinates themselves."""
    offsets = tags.numbers("GridFrameOffsetVector")
    if len(offsets) != one.sheet.form.frames:
        raise GeometryError(
            f"{len(offsets)} offsets for {one.sheet.form.frames} planes of dose",
            file=tags.path,
            expected="one for each (PS3.3 C.8.8.3.2)",
        )
    normal = normal_of(one.cosines)
    absolute = offsets[0] != 0 and abs(offsets[0] - one.position[2]) < 1e-3
    if offsets[0] != 0 and not absolute:
        raise GeometryError(
            f"the first plane's offset is {offsets[0]} mm, and its z is {one.position[2]} mm",
            file=tags.path,
            expected="an offset of 0, or equal to z",
        )
    for index, offset in enumerate(offsets):
        mm = (offset - offsets[0]) * (normal[2] if absolute else 1.0)
        yield one._replace(number=index, position=along(one.position, normal, mm))


def _enhanced(tags: Tags, sheet: Sheet) -> Iterator[Frame]:
    """The frames of an enhanced file: all of them have a place, or none has.

    Raises:
        GeometryError: groups or places of some frames are missing.
    """
    shared = tags.items("SharedFunctionalGroupsSequence")
    common = shared[0] if shared else None
    each = [groups.Groups(own, common, tags.path) for own in _per_frame(tags)]
    places = [groups.place_of(both) for both in each]
    told = sum(place is not None for place in places)
    if told == 0:
        return
    if not told == len(each) == sheet.form.frames:
        raise GeometryError(
            f"{told} places and {len(each)} functional groups for {sheet.form.frames} frames",
            file=tags.path,
            expected="one of each for every frame (PS3.3 C.7.6.16)",
            remedy="export the file again; it is damaged",
        )
    number = tags.soft_number("InstanceNumber") or 0.0
    cut = tags.soft_number("ConcatenationFrameOffsetNumber") or 0.0
    for index, (both, place) in enumerate(zip(each, places, strict=True)):
        assert place is not None
        line = groups.line_of(both) or (sheet.scale.slope, sheet.scale.intercept)
        marks = groups.marks_of(both, number, cut + index)
        yield Frame(sheet, index, *place, line, marks, groups.part_of(both))


def _per_frame(tags: Tags) -> list[Elements]:
    return tags.items("PerFrameFunctionalGroupsSequence")
