"""What a DICOM header says: pixel form, facts, identity, values' scale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path

import numpy as np

from hounsfield.errors import FormatError
from hounsfield.formats.contract import Facts, Identity, NotAnImage
from hounsfield.formats.dicom.elements import PIXELS, Elements
from hounsfield.formats.dicom.file import DicomFile

# tag -> (name, VR); the elements that an image needs (PS3.6)
TAGS = {
    0x00080005: ("SpecificCharacterSet", "CS"),
    0x00080008: ("ImageType", "CS"),
    0x00080016: ("SOPClassUID", "UI"),
    0x00080018: ("SOPInstanceUID", "UI"),
    0x00080020: ("StudyDate", "DA"),
    0x00080021: ("SeriesDate", "DA"),
    0x00080022: ("AcquisitionDate", "DA"),
    0x0008002A: ("AcquisitionDateTime", "DT"),
    0x00080031: ("SeriesTime", "TM"),
    0x00080032: ("AcquisitionTime", "TM"),
    0x00080033: ("ContentTime", "TM"),
    0x00080060: ("Modality", "CS"),
    0x00080070: ("Manufacturer", "LO"),
    0x00080201: ("TimezoneOffsetFromUTC", "SH"),
    0x00081090: ("ManufacturerModelName", "LO"),
    0x00090010: ("GEPrivateCreator", "LO"),
    0x0009100D: ("GEScanDateTime", "DT"),
    0x00100020: ("PatientID", "LO"),
    0x00100030: ("PatientBirthDate", "DA"),
    0x00100040: ("PatientSex", "CS"),
    0x00101010: ("PatientAge", "AS"),
    0x00101020: ("PatientSize", "DS"),
    0x00101030: ("PatientWeight", "DS"),
    0x00180015: ("BodyPartExamined", "CS"),
    0x00180040: ("CineRate", "IS"),
    0x00180050: ("SliceThickness", "DS"),
    0x00180081: ("EchoTime", "DS"),
    0x00180080: ("RepetitionTime", "DS"),
    0x00180088: ("SpacingBetweenSlices", "DS"),
    0x00181060: ("TriggerTime", "DS"),
    0x00181063: ("FrameTime", "DS"),
    0x00181065: ("FrameTimeVector", "DS"),
    0x00181164: ("ImagerPixelSpacing", "DS"),
    0x00181242: ("ActualFrameDuration", "IS"),
    0x00185101: ("ViewPosition", "CS"),
    0x00189087: ("DiffusionBValue", "FD"),
    0x00189089: ("DiffusionGradientOrientation", "FD"),
    0x00189701: ("DecayCorrectionDateTime", "DT"),
    0x0019100A: ("SiemensImagesInMosaic", "US"),
    0x0019100C: ("SiemensBValue", "IS"),
    0x0020000D: ("StudyInstanceUID", "UI"),
    0x0020000E: ("SeriesInstanceUID", "UI"),
    0x00200011: ("SeriesNumber", "IS"),
    0x00200012: ("AcquisitionNumber", "IS"),
    0x00200013: ("InstanceNumber", "IS"),
    0x00200032: ("ImagePositionPatient", "DS"),
    0x00200037: ("ImageOrientationPatient", "DS"),
    0x00200052: ("FrameOfReferenceUID", "UI"),
    0x00200100: ("TemporalPositionIdentifier", "IS"),
    0x00200105: ("NumberOfTemporalPositions", "IS"),
    0x00209228: ("ConcatenationFrameOffsetNumber", "UL"),
    0x00280002: ("SamplesPerPixel", "US"),
    0x00280004: ("PhotometricInterpretation", "CS"),
    0x00280006: ("PlanarConfiguration", "US"),
    0x00280008: ("NumberOfFrames", "IS"),
    0x00280009: ("FrameIncrementPointer", "AT"),
    0x00280010: ("Rows", "US"),
    0x00280011: ("Columns", "US"),
    0x00280030: ("PixelSpacing", "DS"),
    0x00280051: ("CorrectedImage", "CS"),
    0x00280100: ("BitsAllocated", "US"),
    0x00280101: ("BitsStored", "US"),
    0x00280102: ("HighBit", "US"),
    0x00280103: ("PixelRepresentation", "US"),
    0x00280A02: ("PixelSpacingCalibrationType", "CS"),
    0x00280120: ("PixelPaddingValue", "US"),
    0x00281050: ("WindowCenter", "DS"),
    0x00281051: ("WindowWidth", "DS"),
    0x00281052: ("RescaleIntercept", "DS"),
    0x00281053: ("RescaleSlope", "DS"),
    0x00281054: ("RescaleType", "LO"),
    0x00281056: ("VOILUTFunction", "CS"),
    0x00281101: ("RedPaletteColorLookupTableDescriptor", "US"),
    0x00283000: ("ModalityLUTSequence", "SQ"),
    0x00283010: ("VOILUTSequence", "SQ"),
    0x00291010: ("SiemensImageHeader", "OB"),
    0x0043102F: ("GERawDataType", "SS"),  # 0 magnitude, 1 phase, 2 real, 3 imaginary
    0x00431039: ("GEBValues", "IS"),
    0x00540010: ("EnergyWindowVector", "US"),
    0x00540016: ("RadiopharmaceuticalInformationSequence", "SQ"),
    0x00540020: ("DetectorVector", "US"),
    0x00540022: ("DetectorInformationSequence", "SQ"),
    0x00540060: ("RRIntervalVector", "US"),
    0x00540070: ("TimeSlotVector", "US"),
    0x00540080: ("SliceVector", "US"),
    0x00541001: ("Units", "CS"),
    0x00541006: ("SUVType", "CS"),
    0x00541102: ("DecayCorrection", "CS"),
    0x00541300: ("FrameReferenceTime", "DS"),
    0x00620001: ("SegmentationType", "CS"),
    0x00620002: ("SegmentSequence", "SQ"),
    0x0062000E: ("MaximumFractionalValue", "US"),
    0x00620010: ("SegmentationFractionalType", "CS"),
    0x00620013: ("SegmentsOverlap", "CS"),
    0x20011003: ("PhilipsBFactor", "FL"),
    0x30040002: ("DoseUnits", "CS"),
    0x3004000C: ("GridFrameOffsetVector", "DS"),
    0x3004000E: ("DoseGridScaling", "DS"),
    0x52009229: ("SharedFunctionalGroupsSequence", "SQ"),
    0x52009230: ("PerFrameFunctionalGroupsSequence", "SQ"),
    0x70530010: ("PhilipsPrivateCreator", "LO"),
    0x70531000: ("PhilipsSUVFactor", "DS"),
    0x70531009: ("PhilipsActivityFactor", "DS"),
}
WANTED = frozenset(TAGS)
SEGMENTATIONS = (  # SOP classes
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
)
TAG = {name: tag for tag, (name, _) in TAGS.items()}


@dataclass(frozen=True, eq=False)
class Tags:
    """A file's elements by the standard's names; a bad number is an error that names its tag."""

    elements: Elements
    path: Path

    def __contains__(self, name: str) -> bool:
        return TAG[name] in self.elements

    def text(self, name: str) -> str | None:
        return self.elements.text(TAG[name])

    def texts(self, name: str) -> list[str]:
        return self.elements.texts(TAG[name])

    def raw(self, name: str) -> bytes:
        """An element's bytes; empty if it is absent."""
        return self.elements.raw(TAG[name]) if name in self else b""

    def items(self, name: str) -> list[Elements]:
        return self.elements.items(TAG[name])

    def numbers(self, name: str) -> list[float]:
        try:
            values = self.elements.numbers(TAG[name], TAGS[TAG[name]][1])
        except ValueError:
            raise FormatError(
                f"{name} is not a number", file=self.path, remedy="correct the header"
            ) from None
        if not all(map(isfinite, values)):
            raise FormatError(f"{name} is not finite", file=self.path, remedy="correct the header")
        return values

    def number(self, name: str, default: float | None = None) -> float:
        """The first value; an error without one and without a default."""
        values = self.numbers(name)
        if values:
            return values[0]
        if default is None:
            raise FormatError(
                f"{name} is missing",
                file=self.path,
                expected="the image pixel elements of PS3.3 C.7.6.3",
                remedy="the file is damaged or no image; export it again",
            )
        return default

    def soft_number(self, name: str) -> float | None:
        """The first value, or None where the file has none that can be used."""
        try:
            values = self.numbers(name)
        except FormatError:
            return None
        return values[0] if values else None


@dataclass(frozen=True)
class PixelForm:
    """How the pixels are stored (PS3.3 C.7.6.3)."""

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool
    photometric: str
    kind: str  # numpy's: "i", "u", or "f" for float pixel data

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the stored values."""
        return np.dtype(f"{self.kind}{max(self.allocated, 8) // 8}")

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and greatest stored value that the bits can hold."""
        if self.signed:
            return -(1 << self.stored - 1), (1 << self.stored - 1) - 1
        return 0, (1 << self.stored) - 1

    @property
    def colour(self) -> bool:
        return self.samples == 3 or self.photometric == "PALETTE COLOR"


def pixel_form(file: DicomFile, tags: Tags) -> PixelForm:
    """The form of the stored pixels, each field checked.

    Raises:
        FormatError: a field is missing or outside the standard.
    """
    rows, columns = int(tags.number("Rows")), int(tags.number("Columns"))
    samples = int(tags.number("SamplesPerPixel", 1))
    frames = int(tags.number("NumberOfFrames", 1)) or 1
    real = {0x7FE00008: 32, 0x7FE00009: 64}.get(file.pixels.tag) if file.pixels else None
    allocated = real or int(tags.number("BitsAllocated"))
    stored = real or int(tags.number("BitsStored", allocated))
    high = real - 1 if real else int(tags.number("HighBit", stored - 1))
    photometric = tags.text("PhotometricInterpretation") or (
        "RGB" if samples == 3 else "MONOCHROME2"
    )
    signed = bool(tags.number("PixelRepresentation", 0))
    planar = bool(tags.number("PlanarConfiguration", 0))
    checks = {
        f"Rows × Columns is {rows}×{columns}": rows > 0 and columns > 0,
        f"NumberOfFrames is {frames}": frames > 0,
        f"SamplesPerPixel is {samples}": samples in (1, 3),
        f"BitsAllocated is {allocated}": allocated in (1, 8, 16, 32, 64),
        f"BitsStored is {stored} of {allocated}": 1 <= stored <= allocated,
        f"HighBit is {high} for {stored} bits": stored - 1 <= high < allocated,
    }
    for problem, good in checks.items():
        if not good:
            raise FormatError(
                problem,
                file=file.path,
                expected="a value that PS3.3 C.7.6.3 allows",
                remedy="the header is damaged; export the file again",
            )
    kind = "f" if real else "i" if signed else "u"
    return PixelForm(
        frames, rows, columns, samples, allocated, stored, high,
        signed, planar, photometric, kind,
    )  # fmt: skip


def identity(tags: Tags) -> Identity:
    """Who and which; the caller keeps it out of every output."""
    names = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    return Identity(*(tags.text(name) for name in names))


def facts(tags: Tags, window: tuple[float, float] | None, stored: str) -> Facts:
    """What the header says of the picture that identifies nobody."""
    return Facts(
        sex=tags.text("PatientSex"),
        age=age_in_years(
            tags.text("PatientAge"), tags.text("PatientBirthDate"), tags.text("StudyDate")
        ),
        view=tags.text("ViewPosition"),
        body_part=tags.text("BodyPartExamined"),
        manufacturer=tags.text("Manufacturer"),
        model=tags.text("ManufacturerModelName"),
        window=window,
        stored=stored,
        series=_whole(tags.soft_number("SeriesNumber")),
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def age_in_years(age: str | None, born: str | None, seen: str | None) -> float | None:
    """Years from an age string (PS3.5 6.2 AS: 045Y, 006M, 012W, 003D), else from two dates.

    000Y is what scanners write where no age was entered; the newborn's are days, weeks and months.
    """
    if age and age[:-1].isdigit() and age[-1] in "YMWD" and (int(age[:-1]) or age[-1] != "Y"):
        days = {"Y": 365.25, "M": 365.25 / 12, "W": 7.0, "D": 1.0}[age[-1]]
        years = int(age[:-1]) * days / 365.25
        return years if years <= 130 else None
    try:
        first, last = (date.fromisoformat(text or "") for text in (born, seen))
    except ValueError:
        return None
    years = (last - first).days / 365.25
    return round(years, 2) if 0 <= years <= 130 else None


_WITHOUT_PIXELS = {  # SOP class -> what to do with it
    "1.2.840.10008.5.1.4.1.1.481.3": "contours become masks on the grid of the image that they "
    "were drawn on: hf.masks(structures, image), or "
    "`hounsfield masks STRUCTURES OUT.nii.gz --like IMAGE`",
}


def no_pixels(file: DicomFile, tags: Tags) -> FormatError:
    """The refusal of an object without pixels: one that should have some was cut off."""
    from pydicom.uid import UID

    uid = tags.text("SOPClassUID")
    what = UID(uid).name if uid else "an object of unknown class"
    if uid is None or "Image Storage" in what or "Rows" in tags:
        return FormatError(
            f"DICOM without pixels, which it should have: {what}",
            file=file.path,
            expected="an image with pixels",
            remedy="copy the file again; it is truncated, or was exported without its pixels",
        )
    return NotAnImage(
        f"DICOM without pixels: {what}",
        file=file.path,
        expected=f"an image, with one of {', '.join(f'({t >> 16:04X},{t & 0xFFFF:04X})' for t in sorted(PIXELS))}",  # noqa: E501
        remedy=_WITHOUT_PIXELS.get(uid or "", "leave it out; reports and plans are not pictures"),
    )
