"""SUV by DICOM's rules, against sums done by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from hounsfield.errors import FormatError, UsageError
from hounsfield.formats.dicom.file import open_dicom
from hounsfield.formats.dicom.suv import acquired, decay_reference, factor, pet_of, uptake
from hounsfield.formats.dicom.tags import WANTED, Tags

HALF = {"F-18": 6586.2, "C-11": 1221.8, "Ga-68": 4062.6}
CODES = {"F-18": "77004003", "C-11": "40565003", "Ga-68": "35337001"}


def injection(**changed: Any) -> Dataset:
    item = Dataset()
    item.RadionuclideTotalDose = 370e6
    item.RadionuclideHalfLife = HALF["F-18"]
    item.RadiopharmaceuticalStartTime = "100000"
    for name, value in changed.items():
        if value is None:
            delattr(item, name)
        else:
            setattr(item, name, value)
    return item


@pytest.fixture
def pet(make_dicom: Any) -> Any:
    """A series begun at 11:00, an hour after the injection; None takes an element away."""

    def build(dose: dict[str, Any] | None = None, *, earliest: Any = None, **changed: Any) -> Any:
        private = {key: changed.pop(key) for key in ("ge", "philips") if key in changed}
        elements: dict[str, Any] = {
            "Modality": "PT",
            "Units": "BQML",
            "DecayCorrection": "START",
            "CorrectedImage": ["DECY", "ATTN", "SCAT", "NORM"],
            "SeriesDate": "20240229",
            "SeriesTime": "110000",
            "AcquisitionDate": "20240229",
            "AcquisitionTime": "110000",
            "PatientWeight": 70,
            "PatientSize": 1.75,
            "PatientSex": "M",
            "RadiopharmaceuticalInformationSequence": [injection(**(dose or {}))],
        } | changed
        return pet_of(tags_of(make_dicom, elements, private), earliest)

    return build


def tags_of(make_dicom: Any, elements: dict[str, Any], private: dict[str, Any]) -> Tags:
    import pydicom

    given = {name: value for name, value in elements.items() if value is not None}
    path: Path = make_dicom(np.zeros((2, 3), np.int16), **given)
    if private:
        data = pydicom.dcmread(path)
        if "ge" in private:
            data.private_block(9, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", private["ge"])
        for number, value in private.get("philips", {}).items():
            block = data.private_block(0x7053, "Philips PET Private Group", create=True)
            block.add_new(number, "DS", value)
        data.save_as(path)
    return Tags(open_dicom(path, WANTED).elements, path)


def test_body_weight(pet: Any) -> None:
    # 70 000 g over 370 MBq halved 3600 / 6586.2 times = 253.314 MBq
    assert factor(pet()) == pytest.approx(70_000 / 253_314_180, rel=1e-5)


@pytest.mark.parametrize(
    ("isotope", "left"), [("F-18", 0.684633), ("C-11", 0.129725), ("Ga-68", 0.541063)]
)
def test_each_isotope_decays_for_the_hour(pet: Any, isotope: str, left: float) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = CODES[isotope], "SCT"
    made = pet({"RadionuclideHalfLife": HALF[isotope], "RadionuclideCodeSequence": [code]})
    assert factor(made) == pytest.approx(70_000 / (370e6 * left), rel=1e-5)


def test_a_half_life_in_minutes_is_refused_by_the_isotope(pet: Any) -> None:
    code = Dataset()
    code.CodeValue = CODES["F-18"]
    made = pet({"RadionuclideHalfLife": 109.77, "RadionuclideCodeSequence": [code]})
    with pytest.raises(FormatError, match=r"109\.77 s for F-18"):
        factor(made)


def test_lean_body_and_surface(pet: Any) -> None:
    left = 370e6 * 0.684633
    # Janmahasatian, man: 9270 * 70 / (6680 + 216 * 22.857) = 55.852 kg
    assert factor(pet(), "lbm") == pytest.approx(55_852 / left, rel=1e-4)
    # woman: 9270 * 70 / (8780 + 244 * 22.857) = 45.197 kg
    assert factor(pet(PatientSex="F"), "lbm") == pytest.approx(45_197 / left, rel=1e-4)
    # James: 1.10 * 70 - 128 * (70 / 175)**2 = 56.52; woman 1.07 * 70 - 148 * 0.16 = 51.22
    assert factor(pet(), "lbm-james") == pytest.approx(56_520 / left, rel=1e-5)
    assert factor(pet(PatientSex="F"), "lbm-james") == pytest.approx(51_220 / left, rel=1e-5)
    # Du Bois: 0.007184 * 70**0.425 * 175**0.725 = 1.8481 m²
    assert factor(pet(), "bsa") == pytest.approx(18_481 / left, rel=1e-4)


def test_corrected_to_the_injection_needs_no_times(pet: Any) -> None:
    made = pet({"RadiopharmaceuticalStartTime": None}, DecayCorrection="ADMIN", SeriesTime=None)
    assert factor(made) == pytest.approx(70_000 / 370e6)


@pytest.mark.parametrize("value", ["NONE", None])
def test_values_without_decay_correction_have_no_one_factor(pet: Any, value: str | None) -> None:
    with pytest.raises(FormatError, match="DecayCorrection is"):
        factor(pet(DecayCorrection=value))


def test_over_midnight(pet: Any) -> None:
    made = pet(
        {"RadiopharmaceuticalStartTime": "233000.5"}, SeriesTime="003000", AcquisitionTime="003000"
    )
    assert uptake(made) == pytest.approx(3599.5)


def test_the_date_of_the_injection_goes_before_its_time(pet: Any) -> None:
    dose = {"RadiopharmaceuticalStartDateTime": "20240228233000.00"}
    made = pet(
        {**dose, "RadiopharmaceuticalStartTime": "233000"},
        SeriesTime="003000",
        AcquisitionTime="003000",
    )
    assert uptake(made) == 3600
    with pytest.raises(FormatError, match="contradict each other"):
        pet({**dose, "RadiopharmaceuticalStartTime": "223000"})


def test_time_zones_are_brought_to_the_files_own(pet: Any) -> None:
    dose = {
        "RadiopharmaceuticalStartTime": None,
        "RadiopharmaceuticalStartDateTime": "20240229090000+0000",
    }
    assert uptake(pet(dose, TimezoneOffsetFromUTC="+0100")) == 3600
    with pytest.raises(FormatError, match="time zone"):
        pet(dose)


def test_a_series_made_later_falls_back_in_qibas_order(pet: Any) -> None:
    late: dict[str, Any] = {"SeriesTime": "180000", "AcquisitionTime": "110400"}
    ten = datetime(2024, 2, 29, 11)
    with pytest.raises(FormatError, match="SeriesTime lies after the acquisition"):
        factor(pet(**late))
    assert decay_reference(pet(**late, earliest=ten)) == ten
    # Second bed: the frame's mean lies 4 min 0 s + its mean-count time behind the reference
    rate = log(2) / HALF["F-18"]
    mean = log(rate * 120 / (1 - exp(-rate * 120))) / rate
    assert 59.8 < mean < 60
    made = pet(**late, FrameReferenceTime=240_000 + mean * 1000, ActualFrameDuration=120_000)
    assert abs(decay_reference(made) - ten) < timedelta(milliseconds=5)
    scan = pet(**late, earliest=datetime(2024, 2, 29, 10, 59), ge="20240229105930.00")
    assert decay_reference(scan) == datetime(2024, 2, 29, 10, 59, 30)


def test_the_series_time_counts_where_it_is_not_late(pet: Any) -> None:
    made = pet(AcquisitionTime="110400", ge="20240229105930.00", FrameReferenceTime=1e5)
    assert decay_reference(made) == datetime(2024, 2, 29, 11)
    # The first file is a later bed; another one began before the series' time
    other = pet(AcquisitionTime="110400", earliest=datetime(2024, 2, 29, 10, 59))
    assert decay_reference(other) == datetime(2024, 2, 29, 10, 59)


def test_a_foreign_block_at_ges_place_is_none_of_ges(pet: Any, make_dicom: Any) -> None:
    import pydicom

    path = make_dicom(np.zeros((2, 3), np.int16), Modality="PT")
    data = pydicom.dcmread(path)
    data.private_block(9, "SOMEBODY ELSE", create=True).add_new(0x0D, "DT", "20240229105930")
    data.save_as(path)
    assert pet_of(Tags(open_dicom(path, WANTED).elements, path)).ge_scan is None


def test_an_outright_moment_of_correction_goes_first(pet: Any) -> None:
    made = pet(SeriesTime="180000", DecayCorrectionDateTime="20240229104500.0")
    assert uptake(made) == 45 * 60


def test_counts_by_philips_factors(pet: Any) -> None:
    both = {0x00: "0.000531", 0x09: "1.7"}
    assert factor(pet(Units="CNTS", philips=both)) == pytest.approx(0.000531)
    lean = factor(pet(Units="CNTS", philips=both), "lbm")
    assert lean == pytest.approx(0.000531 * 55_852 / 70_000, rel=1e-4)
    activity = pet(Units="CNTS", philips={0x00: "0", 0x09: "1.7"})
    assert factor(activity) == pytest.approx(1.7 * 70_000 / 253_314_180, rel=1e-5)
    with pytest.raises(FormatError, match="7053,1000"):
        factor(pet(Units="CNTS"))
    with pytest.raises(FormatError, match=r"SUV factor .* is -1"):
        factor(pet(Units="CNTS", philips={0x00: "-1"}))


def test_values_that_are_suv_already(pet: Any) -> None:
    assert factor(pet(Units="GML")) == 1
    assert factor(pet(Units="GML", SUVType="LBMJANMA"), "lbm") == 1
    assert factor(pet(Units="CM2ML"), "bsa") == 1
    assert factor(pet(Units="GML", SUVType="LBMJANMA")) == pytest.approx(70_000 / 55_852, rel=1e-4)
    assert factor(pet(Units="CM2ML")) == pytest.approx(70_000 / 18_481, rel=1e-4)
    for wrong in ({"SUVType": "LBM"}, {"SUVType": "BSA"}, {"CorrectedImage": ["DECY"]}):
        with pytest.raises(FormatError, match="no SUV"):
            factor(pet(Units="GML", **wrong))


@pytest.mark.parametrize(
    ("dose", "changed", "said"),
    [
        ({}, {"Units": None}, "Units are missing"),
        ({}, {"Units": "PROPCNTS"}, "PROPCNTS"),
        ({}, {"CorrectedImage": None}, "CorrectedImage is missing"),
        ({}, {"CorrectedImage": ["DECY"]}, "no ATTN"),
        ({}, {"CorrectedImage": ["ATTN"]}, "no DECY"),
        ({}, {"PatientWeight": None}, "PatientWeight is missing"),
        ({}, {"PatientWeight": 0}, "PatientWeight is 0"),
        ({}, {"PatientWeight": 70_000}, "PatientWeight is 70000"),
        ({"RadionuclideTotalDose": None}, {}, "RadionuclideTotalDose is missing"),
        ({"RadionuclideTotalDose": 370}, {}, "RadionuclideTotalDose is 370"),
        ({"RadionuclideHalfLife": None}, {}, "RadionuclideHalfLife is missing"),
        ({"RadionuclideHalfLife": -1}, {}, "RadionuclideHalfLife is -1"),
        ({"RadionuclideHalfLife": 282_200}, {}, "lives for days"),
        ({"RadiopharmaceuticalStartTime": None}, {}, "RadiopharmaceuticalStartTime are missing"),
        ({"RadiopharmaceuticalStartTime": "110001"}, {}, "1 s after the scan"),
        ({"RadiopharmaceuticalStartTime": "100000",
          "RadiopharmaceuticalStartDateTime": "20240227100000"}, {}, "49.0 hours"),
        ({"RadiopharmaceuticalStartDateTime": "20240301100000"}, {}, "after the scan"),
        ({}, {"AcquisitionTime": None}, "AcquisitionDate and AcquisitionTime"),
        ({}, {"SeriesDate": None}, "SeriesDate or SeriesTime is missing"),
        ({}, {"RadiopharmaceuticalInformationSequence": None}, "TotalDose is missing"),
        ({}, {"RadiopharmaceuticalInformationSequence": [injection()] * 2}, "2 injections"),
    ],
)  # fmt: skip
def test_what_is_missing_or_cannot_be_is_named(
    pet: Any, dose: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(FormatError) as caught:
        factor(pet(dose, **changed))
    assert said in str(caught.value)
    assert "What to do" in str(caught.value)
    assert caught.value.file is not None


def test_numbers_out_of_all_bounds_are_refused_before_they_overflow(pet: Any) -> None:
    late: dict[str, Any] = {"SeriesTime": "180000"}
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"RadionuclideHalfLife": 1e-5}, {}, "half-lives from the injection"),
        ({}, {**late, "FrameReferenceTime": 1e200, "ActualFrameDuration": 1000}, "FrameReference"),
        ({}, {**late, "FrameReferenceTime": 1e5, "ActualFrameDuration": -1000}, "FrameReference"),
        ({}, {"SeriesDate": "00010101"}, "SeriesDate cannot be read"),
        (
            {"RadiopharmaceuticalStartDateTime": "99991231235959-1200"},
            {"TimezoneOffsetFromUTC": "+1400"},
            "StartDateTime cannot be read",
        ),
    ]
    for dose, changed, said in cases:
        with pytest.raises(FormatError, match=said):
            factor(pet(dose, **changed))


def test_lean_body_needs_height_and_sex(pet: Any) -> None:
    for changed in ({"PatientSize": None}, {"PatientSize": 175}, {"PatientSex": "O"}):
        assert factor(pet(**changed)) > 0
        with pytest.raises(FormatError, match="PatientS"):
            factor(pet(**changed), "lbm")
    with pytest.raises(FormatError, match="James"):
        factor(pet(PatientSex="F", PatientWeight=300, PatientSize=1.5), "lbm-james")
    with pytest.raises(UsageError, match="did you mean 'lbm'"):
        factor(pet(), "lb")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("text", ["2460", "11", "xx0000", "240000"])
def test_a_time_that_is_none_is_refused(pet: Any, text: str) -> None:
    with pytest.raises(FormatError, match="SeriesTime cannot be read"):
        pet(SeriesTime=text)


def test_the_person_is_not_shown(pet: Any) -> None:
    shown = repr(replace(pet(), file=None))  # a folder's number may have the same digits
    assert "1.75" not in shown
    assert "70" not in shown.replace("370", "")


def test_when_a_file_was_acquired(make_dicom: Any) -> None:
    elements = {"AcquisitionDate": "20240229", "AcquisitionTime": "110000.25"}
    assert acquired(tags_of(make_dicom, elements, {})) == datetime(2024, 2, 29, 11, 0, 0, 250_000)
    assert acquired(tags_of(make_dicom, {"AcquisitionDate": "20240229"}, {})) is None
