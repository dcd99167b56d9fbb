"""What a PET header says that standardized uptake values depend on (DICOM PS3.3 C.8.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as clock
from pathlib import Path

from hounsfield.errors import FormatError
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.moments import moment, stamp, time_of
from hounsfield.formats.dicom.tags import Tags


@dataclass(frozen=True)
class Pet:
    """What a PET series says that SUV depends on; None where the header does not say it."""

    units: str | None  # BQML, CNTS, GML, CM2ML, …
    decay_correction: str | None = None  # START, ADMIN, NONE
    corrections: tuple[str, ...] = ()  # ATTN, DECY, SCAT, …
    suv_type: str | None = None
    dose: float | None = None  # Bq, at the injection
    half_life: float | None = None  # s
    isotope: str | None = None  # code of CID 4020
    injected: datetime | None = None
    injected_clock: clock | None = None  # time of day where no date is told
    started: datetime | None = None  # of the series
    acquired: datetime | None = None  # of this file
    earliest: datetime | None = None  # of all files of the series
    corrected_to: datetime | None = None  # (0018,9701), which says it outright
    ge_scan: datetime | None = None  # GE's private (0009,100D)
    frame_reference: float | None = None  # s
    frame_duration: float | None = None  # s
    weight: float | None = field(default=None, repr=False)  # kg
    height: float | None = field(default=None, repr=False)  # m
    sex: str | None = field(default=None, repr=False)
    philips_suv: float | None = None  # (7053,1000): counts → SUV by body weight
    philips_activity: float | None = None  # (7053,1009): counts → Bq/mL
    file: Path | None = None


def pet_of(tags: Tags, earliest: datetime | None = None) -> Pet:
    """What one file of a PET series says; `earliest` is the least `acquired` of all its files.

    Raises:
        FormatError: a number, date or time that is none.
    """
    dose = _injection(tags)
    hour, injected = _injected(tags, dose)
    ge = (tags.text("GEPrivateCreator") or "").startswith("GEMS_PETD")
    philips = (tags.text("PhilipsPrivateCreator") or "").upper().startswith("PHILIPS PET")
    return Pet(
        units=tags.text("Units"),
        decay_correction=tags.text("DecayCorrection"),
        corrections=tuple(tags.texts("CorrectedImage")),
        suv_type=tags.text("SUVType"),
        dose=_number(tags, dose, 0x00181074, "RadionuclideTotalDose"),
        half_life=_number(tags, dose, 0x00181075, "RadionuclideHalfLife"),
        isotope=_isotope(dose),
        injected=injected,
        injected_clock=hour,
        started=moment(tags, "SeriesDate", "SeriesTime"),
        acquired=acquired(tags),
        earliest=earliest,
        corrected_to=_certain(tags, "DecayCorrectionDateTime"),
        ge_scan=_certain(tags, "GEScanDateTime") if ge else None,
        frame_reference=_seconds(tags, "FrameReferenceTime"),
        frame_duration=_seconds(tags, "ActualFrameDuration"),
        weight=_first(tags, "PatientWeight"),
        height=_first(tags, "PatientSize"),
        sex=tags.text("PatientSex"),
        philips_suv=_first(tags, "PhilipsSUVFactor") if philips else None,
        philips_activity=_first(tags, "PhilipsActivityFactor") if philips else None,
        file=tags.path,
    )


def acquired(tags: Tags) -> datetime | None:
    """When a file's acquisition began; None where it does not say."""
    whole = _certain(tags, "AcquisitionDateTime")
    return moment(tags, "AcquisitionDate", "AcquisitionTime") or whole


def _injection(tags: Tags) -> Elements | None:
    """The item of the radiopharmaceutical; two injections are not told apart."""
    items = tags.items("RadiopharmaceuticalInformationSequence")
    if len(items) > 1:
        raise FormatError(
            f"no SUV: {len(items)} injections (RadiopharmaceuticalInformationSequence)",
            file=tags.path,
            expected="one",
            remedy="read the values without SUV",
        )
    return items[0] if items else None


def _injected(tags: Tags, dose: Elements | None) -> tuple[clock | None, datetime | None]:
    """Time of day and moment of the injection.

    Raises:
        FormatError: both are told and contradict each other.
    """
    name = "RadiopharmaceuticalStart"
    text = dose.text(0x00181072) if dose else None
    hour = time_of(tags, f"{name}Time", text) if text else None
    whole = stamp(tags, f"{name}DateTime", dose.text(0x00181078) if dose else None)
    if whole is None:
        return hour, None
    when, certain = whole
    if hour is None and certain:
        return None, when
    day = datetime.combine(when.date(), hour) if hour else None
    if day is None or abs((when - day).total_seconds()) >= 60:
        raise FormatError(
            f"no SUV: {name}DateTime and {name}Time contradict each other"
            if day
            else f"no SUV: {name}DateTime is in a time zone, the other times in none",
            file=tags.path,
            expected="one clock for all (TimezoneOffsetFromUTC)",
            remedy="correct the header from the scanner's records",
        )
    return hour, when


def _isotope(dose: Elements | None) -> str | None:
    codes = dose.items(0x00540300) if dose else []
    return codes[0].text(0x00080100) if codes else None


def _certain(tags: Tags, name: str) -> datetime | None:
    """A DT element in the file's own clock, where it has one."""
    found = stamp(tags, name, tags.text(name))
    return found[0] if found else None


def _number(tags: Tags, item: Elements | None, tag: int, name: str) -> float | None:
    try:
        values = item.numbers(tag, "DS") if item else []
    except ValueError:
        raise FormatError(f"{name} is not a number", file=tags.path) from None
    return values[0] if values else None


def _first(tags: Tags, name: str) -> float | None:
    values = tags.numbers(name)
    return values[0] if values else None


def _seconds(tags: Tags, name: str) -> float | None:
    value = _first(tags, name)
    return None if value is None else value / 1000
