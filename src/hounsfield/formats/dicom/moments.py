"""DICOM's dates and times as moments (PS3.5 6.2: DA, TM, DT)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as clock

from hounsfield.errors import FormatError
from hounsfield.formats.dicom.tags import Tags

YEARS = range(1900, 2200)  # others are noise, and so far off that sums overflow
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_STAMP = re.compile(r"(\d{8})(\d{4,6}(?:\.\d{1,6})?)([+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


def moment(tags: Tags, date: str, time: str) -> datetime | None:
    """The moment that a date element and a time element make; None where one is absent.

    Raises:
        FormatError: one of them is no date or no time.
    """
    day, hour = tags.text(date), tags.text(time)
    if day is None or hour is None:
        return None
    match = _DATE.fullmatch(day)
    if match is None:
        raise _not(tags, date, "a date, YYYYMMDD")
    try:
        year, month, day_of = (int(part) for part in match.groups())
        if year not in YEARS:
            raise ValueError
        return datetime.combine(datetime(year, month, day_of), time_of(tags, time, hour))
    except ValueError:
        raise _not(tags, date, "a date, YYYYMMDD") from None


def time_of(tags: Tags, name: str, text: str) -> clock:
    """A time of day from `text`; one without minutes is too coarse and refused."""
    match = _TIME.fullmatch(text)
    try:
        if match is None or match[2] is None:
            raise ValueError
        fraction = (match[4] or "").ljust(6, "0")
        return clock(int(match[1]), int(match[2]), min(int(match[3] or 0), 59), int(fraction))
    except ValueError:
        raise _not(tags, name, "a time of day, HHMMSS") from None


def stamp(tags: Tags, name: str, text: str | None) -> tuple[datetime, bool] | None:
    """A DT value in the clock of the file's other times, and whether that is certain.

    It is certain where the value has no offset from UTC, or where the file tells its own
    (TimezoneOffsetFromUTC) and the value can be brought to it.
    """
    if text is None:
        return None
    match = _STAMP.fullmatch(text)
    if match is None:
        raise _not(tags, name, "a date and time, YYYYMMDDHHMMSS")
    try:
        day = datetime.strptime(match[1], "%Y%m%d")
        if day.year not in YEARS:
            raise ValueError
    except ValueError:
        raise _not(tags, name, "a date and time, YYYYMMDDHHMMSS") from None
    local = datetime.combine(day, time_of(tags, name, match[2]))
    if match[3] is None:
        return local, True
    here = tags.text("TimezoneOffsetFromUTC")
    if here is None:
        return local, False
    aware = local.replace(tzinfo=_zone(tags, name, match[3]))
    zone = _zone(tags, "TimezoneOffsetFromUTC", here)
    return aware.astimezone(zone).replace(tzinfo=None), True


def _zone(tags: Tags, name: str, text: str) -> timezone:
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise _not(tags, name, "an offset from UTC, +0100")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(offset if match[1] == "+" else -offset) if offset else UTC


def _not(tags: Tags, name: str, expected: str) -> FormatError:
    return FormatError(
        f"{name} cannot be read", file=tags.path, expected=expected, remedy="correct the header"
    )
