"""Times as clinical systems write them: several offsets, fractions of seconds, dates alone, parts of dates.

Moments are epoch seconds, days are days since 1970-01-01. FHIR R4 2.24.0.1 (date, dateTime, instant).
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from functools import cache

DAY = 86_400
HOUR = 3_600
YEAR = 365.25  # days

_EPOCH = date(1970, 1, 1).toordinal()


class Zone(Enum):
    """How a clinic's systems write the offset."""

    EASTERN = "-05:00 in winter, -04:00 in summer"
    UTC = "Z"
    INDIA = "+05:30"


class _Days(dict[int, str]):
    """Day numbers to ISO dates, each made once."""

    def __missing__(self, day: int) -> str:
        text = date.fromordinal(_EPOCH + day).isoformat()
        self[day] = text
        return text


_DAYS = _Days()


def day_text(day: int, digits: int = 10) -> str:
    """The day as ``YYYY-MM-DD``, or the month (7 digits) or year (4 digits) it lies in."""
    return _DAYS[day][:digits]


def moment(at: int, zone: Zone, fraction: str = "") -> str:
    """The moment with seconds, ``fraction`` (such as ``.139``) and offset."""
    if zone is Zone.UTC:
        shift, offset = 0, "Z"
    elif zone is Zone.INDIA:
        shift, offset = 19_800, "+05:30"
    else:
        shift, offset = _eastern(at // DAY)
    day, second = divmod(at + shift, DAY)
    return f"{_DAYS[day]}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{fraction}{offset}"


def local_day(at: int, zone: Zone) -> str:
    """The date of the moment on the clinic's wall."""
    shift = {Zone.UTC: 0, Zone.INDIA: 19_800}.get(zone)
    return _DAYS[(at + (_eastern(at // DAY)[0] if shift is None else shift)) // DAY]


@cache
def _eastern(day: int) -> tuple[int, str]:
    """Shift and offset of the US East on a day: the rules of 1987 to 2006 and those since 2007."""
    today = date.fromordinal(_EPOCH + day)
    if today.year >= 2007:
        begin, end = _sunday(today.year, 3, 8), _sunday(today.year, 11, 1)
    else:
        begin, end = _sunday(today.year, 4, 1), _sunday(today.year, 10, 25)
    summer = begin <= today < end
    return (-4 * HOUR, "-04:00") if summer else (-5 * HOUR, "-05:00")


def _sunday(year: int, month: int, day: int) -> date:
    """The first Sunday on or after a day."""
    first = date(year, month, day)
    return date.fromordinal(first.toordinal() + (6 - first.weekday()) % 7)
