"""From what a PET header says to standardized uptake values.

DICOM PS3.3 C.8.9.1 (PET Series) and C.8.9.2 (PET Isotope); the order in which times are trusted
is that of QIBA's vendor-neutral pseudo-code for SUV (RSNA, FDG-PET/CT profile, appendix G).
What is missing or cannot be is refused with its name: no SUV is better than a wrong one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import exp, inf, log
from typing import get_args

from hounsfield.errors import FormatError, UsageError, did_you_mean
from hounsfield.formats.contract import Suv
from hounsfield.formats.dicom.pet_header import Pet, acquired, pet_of

__all__ = ["NAMES", "UNITS", "Kind", "Pet", "acquired", "factor", "pet_of", "uptake"]

Kind = Suv
UNITS: dict[Kind, str] = {"bw": "g/mL", "lbm": "g/mL", "lbm-james": "g/mL", "bsa": "cm2/mL"}
NAMES: dict[Kind, str] = {
    "bw": "SUV",
    "lbm": "SUL",
    "lbm-james": "SUL (James)",
    "bsa": "SUV (body surface)",
}

# The scanner's own SUV: which it is (PS3.3 C.8.9.1, SUV Type; absent with GML means body weight)
_SUV_TYPES: dict[str, Kind] = {
    "BW": "bw",
    "BSA": "bsa",
    "LBMJANMA": "lbm",
    "LBMJAMES128": "lbm-james",
}
# CID 4020, SNOMED CT and its older form: half-life in s. A header that names the isotope and
# gives another half-life has one of them wrong (minutes for seconds, most often).
_HALF_LIVES = {
    **dict.fromkeys(("77004003", "C-111A1"), ("F-18", 6586.2)),
    **dict.fromkeys(("40565003", "C-105A1"), ("C-11", 1221.8)),
    **dict.fromkeys(("35337001", "C-131A3"), ("Ga-68", 4062.6)),
    **dict.fromkeys(("21576001", "C-107A1"), ("N-13", 597.9)),
    **dict.fromkeys(("129504001", "C-B1038"), ("O-15", 122.2)),
    **dict.fromkeys(("79197006", "C-159A2"), ("Rb-82", 76.4)),
    **dict.fromkeys(("3932008", "C-127A2"), ("Cu-64", 45720.0)),
    **dict.fromkeys(("63360001", "C-168A4"), ("Zr-89", 282_200.0)),
}
_DAY = 86_400.0
_MOST_HALF_LIVES = 40  # a ten-billionth of the dose
_OVER_MIDNIGHT = _DAY / 2  # a longer wait is a clock that goes wrong, not a midnight between
_RANGES = {  # what a person and an injection can be; most of what lies outside has a wrong unit
    "PatientWeight": (0.0, 500.0, "kg"),
    "PatientSize": (0.2, 2.6, "m"),
    "RadionuclideTotalDose": (1e5, 1e11, "Bq"),
    "RadionuclideHalfLife": (0.0, 1e9, "s"),
}


def factor(pet: Pet, kind: Kind = "bw") -> float:
    """What rescaled values are multiplied by to become SUV: g/mL, or cm²/mL for "bsa".

    - `bw`: body weight.
    - `lbm`: lean body mass by Janmahasatian 2005, which IBSI and Tahari 2014 advise: it holds
      for the heavy, too. `lbm-james`: James 1976, by which PERCIST 1.0 was defined.
    - `bsa`: body surface by Du Bois 1916.

    Raises:
        FormatError: a field is missing, or is what it cannot be.
        UsageError: no such kind.
    """
    if kind not in get_args(Kind):
        raise UsageError(f"no SUV of kind {kind!r}", remedy=did_you_mean(kind, get_args(Kind)))
    if pet.units in ("GML", "CM2ML"):
        return _from_suv(pet, kind)
    if pet.units not in ("BQML", "CNTS"):
        got = f"Units are {pet.units}" if pet.units else "Units are missing"
        raise _refused(pet, got, "BQML, CNTS with Philips' factors, GML or CM2ML")
    _check_corrections(pet)
    if pet.units == "CNTS" and pet.philips_suv:
        scale = _positive(pet, "Philips' SUV factor (7053,1000)", pet.philips_suv)
        return scale * _size(pet, kind) / _size(pet, "bw")
    becquerel = 1.0
    if pet.units == "CNTS":
        if not pet.philips_activity:
            raise _refused(
                pet,
                "Units are counts, and Philips' factors (7053,1000) and (7053,1009) are missing",
                "the private group 7053, which de-identification may have removed",
            )
        name = "Philips' activity factor (7053,1009)"
        becquerel = _positive(pet, name, pet.philips_activity)
    return becquerel * _size(pet, kind) / decayed_dose(pet)


def decayed_dose(pet: Pet) -> float:
    """The injected dose in Bq at the moment that the values are corrected to.

    Raises:
        FormatError: as `factor`.
    """
    dose = _within(pet, "RadionuclideTotalDose", pet.dose)
    if pet.decay_correction == "ADMIN":
        return dose  # the values are corrected to the injection itself
    if pet.decay_correction != "START":
        got = pet.decay_correction or "missing"
        raise _refused(
            pet,
            f"DecayCorrection is {got}",
            "START or ADMIN: without one, each bed position needs a factor of its own",
        )
    half_lives = uptake(pet) / _half_life(pet)
    if half_lives > _MOST_HALF_LIVES:
        raise _refused(
            pet,
            f"{half_lives:.0f} half-lives from the injection to the scan",
            f"at most {_MOST_HALF_LIVES}: nothing would be left; RadionuclideHalfLife is in s",
        )
    return dose * float(2**-half_lives)


def uptake(pet: Pet) -> float:
    """Seconds from the injection to the moment that the values are corrected to.

    Raises:
        FormatError: a time is missing, or the injection lies after the scan or too long before.
    """
    reference = decay_reference(pet)
    injected = pet.injected or _without_date(pet, reference)
    seconds = (reference - injected).total_seconds()
    if seconds < 0:
        raise _refused(
            pet,
            f"the injection lies {-seconds:.0f} s after the scan",
            "an injection before the scan; a clock or a date is wrong",
        )
    longest = max(_DAY, 3 * _half_life(pet))
    if seconds > longest:
        raise _refused(
            pet,
            f"{seconds / 3600:.1f} hours from the injection to the scan",
            f"at most {longest / 3600:.0f}; dates shifted by de-identification are a cause",
        )
    return seconds


def decay_reference(pet: Pet) -> datetime:
    """The moment that values with DecayCorrection START are corrected to (QIBA's order).

    The series' own time, unless it lies after the acquisition: then the series was made later
    from another one, and its time says nothing. Then GE's private scan time, then the time
    computed back from the frame, then the earliest acquisition of the series.

    Raises:
        FormatError: none of them is there.
    """
    if pet.corrected_to is not None:
        return pet.corrected_to
    first = min((t for t in (pet.earliest, pet.acquired) if t is not None), default=None)
    if pet.started is not None and first is not None and pet.started <= first:
        return pet.started
    if pet.ge_scan is not None:
        return pet.ge_scan
    if pet.acquired is None and pet.earliest is None:
        raise _refused(pet, "AcquisitionDate and AcquisitionTime are missing", "both")
    if pet.acquired is not None and pet.frame_reference and pet.frame_duration:
        before = pet.frame_reference - _mean_count_time(pet.frame_duration, _half_life(pet))
        if not (0 < pet.frame_duration <= _DAY and abs(before) <= _DAY):
            raise _refused(
                pet,
                f"FrameReferenceTime is {pet.frame_reference:g} s",
                "less than a day, and an ActualFrameDuration of less than that",
            )
        return pet.acquired - timedelta(seconds=before)
    if pet.earliest is not None:
        return pet.earliest
    late = "SeriesDate or SeriesTime is missing"
    if pet.started is not None:
        late = "SeriesTime lies after the acquisition: the series was made later"
    raise _refused(
        pet, late, "FrameReferenceTime and ActualFrameDuration, or every file of the series"
    )


def _mean_count_time(duration: float, half_life: float) -> float:
    """When in a frame, in s, the activity equals the frame's mean (QIBA)."""
    decayed = min(log(2) / half_life * max(duration, 0.0), 1e6)
    return half_life / log(2) * log(decayed / (1 - exp(-decayed))) if decayed > 1e-9 else 0.0


def _without_date(pet: Pet, reference: datetime) -> datetime:
    """An injection of which only the time of day is told: the last such time before the scan."""
    if pet.injected_clock is None:
        raise _refused(
            pet,
            "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are missing",
            "one of them",
        )
    if _half_life(pet) > _DAY / 2:
        raise _refused(
            pet,
            "the day of the injection is not told, and the isotope lives for days",
            "RadiopharmaceuticalStartDateTime",
        )
    injected = datetime.combine(reference.date(), pet.injected_clock)
    if injected <= reference:
        return injected
    before = injected - timedelta(days=1)
    if (reference - before).total_seconds() > _OVER_MIDNIGHT:
        late = (injected - reference).total_seconds()
        raise _refused(
            pet,
            f"the injection lies {late:.0f} s after the scan",
            "an injection before the scan; a clock or a date is wrong",
        )
    return before


def _from_suv(pet: Pet, kind: Kind) -> float:
    """The factor for values that are SUV already, of the same kind or of another."""
    if pet.corrections and "ATTN" not in pet.corrections:
        raise _refused(pet, "CorrectedImage has no ATTN", "values corrected for attenuation")
    said = pet.suv_type or ("BW" if pet.units == "GML" else "BSA")
    own = _SUV_TYPES.get(said)
    if own is None or (own == "bsa") != (pet.units == "CM2ML"):
        raise _refused(
            pet,
            f"Units are {pet.units} and SUVType is {said}",
            ", ".join(f"{name} ({kind})" for name, kind in _SUV_TYPES.items()),
        )
    return 1.0 if own == kind else _size(pet, kind) / _size(pet, own)


def _size(pet: Pet, kind: Kind) -> float:
    """What the dose is shared out over: g of body or lean body, cm² of surface."""
    weight = _within(pet, "PatientWeight", pet.weight)
    if kind == "bw":
        return weight * 1000
    height = _within(pet, "PatientSize", pet.height)
    if kind == "bsa":
        return float(0.007184 * weight**0.425 * (height * 100) ** 0.725 * 10_000)
    if pet.sex not in ("F", "M"):
        raise _refused(pet, f"PatientSex is {pet.sex or 'missing'}", "F or M, for lean body mass")
    woman = pet.sex == "F"
    if kind == "lbm":
        bmi = weight / height**2
        lean = 9270 * weight / ((8780 + 244 * bmi) if woman else (6680 + 216 * bmi))
    else:
        ratio = (weight / (height * 100)) ** 2
        lean = 1.07 * weight - 148 * ratio if woman else 1.10 * weight - 128 * ratio
    if lean <= 0:
        raise _refused(pet, "James' formula gives no lean body mass", 'the kind "lbm"')
    return lean * 1000


def _check_corrections(pet: Pet) -> None:
    if not pet.corrections:
        raise _refused(pet, "CorrectedImage is missing", "ATTN and DECY among its values")
    absent = [word for word in ("ATTN", "DECY") if word not in pet.corrections]
    if absent:
        raise _refused(
            pet,
            f"CorrectedImage has no {' and no '.join(absent)}",
            "values corrected for attenuation and decay; take the corrected series",
        )


def _half_life(pet: Pet) -> float:
    value = _within(pet, "RadionuclideHalfLife", pet.half_life)
    name, true = _HALF_LIVES.get(pet.isotope or "", ("", value))
    if abs(value - true) > 0.05 * true:
        raise _refused(
            pet, f"RadionuclideHalfLife is {value:g} s for {name}", f"{true:g} s; correct one"
        )
    return value


def _within(pet: Pet, name: str, value: float | None) -> float:
    low, high, unit = _RANGES[name]
    if value is None:
        raise _refused(pet, f"{name} is missing", f"a number in {unit}")
    if not low < value <= high:
        raise _refused(pet, f"{name} is {value:g}", f"above {low:g} and up to {high:g} {unit}")
    return value


def _positive(pet: Pet, name: str, value: float) -> float:
    if not 0 < value < inf:
        raise _refused(pet, f"{name} is {value:g}", "a number above 0")
    return value


def _refused(pet: Pet, problem: str, expected: str) -> FormatError:
    return FormatError(
        f"no SUV: {problem}",
        file=pet.file,
        expected=expected,
        remedy="correct the header from the scanner's records, or read the values without SUV",
    )
