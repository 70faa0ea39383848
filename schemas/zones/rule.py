"""The rule that a zone follows after its last listed transition: a POSIX TZ string, such as
``CET-1CEST,M3.5.0,M10.5.0/3`` (RFC 8536 3.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = r"(?:[A-Za-z]+|<[A-Za-z0-9+-]+>)"
_TIME = r"[+-]?\d{1,3}(?::\d{2}(?::\d{2})?)?"
_DAY = rf"(?:M\d{{1,2}}\.\d\.\d|J?\d{{1,3}})(?:/{_TIME})?"
_FORM = re.compile(rf"^{_NAME}({_TIME})(?:{_NAME}({_TIME})?,({_DAY}),({_DAY}))?$")
_EPOCH = date(1970, 1, 1)
_DAY_SECONDS = 86_400
_TWO_O_CLOCK = 2 * 3600  # when a rule gives no time


@dataclass(frozen=True, slots=True)
class YearlyRule:
    """``standard`` and ``summer`` are seconds east of UTC; without summer time ``begins`` is empty."""

    standard: int
    summer: int = 0
    begins: str = ""
    ends: str = ""

    def transitions(self, years: range) -> Iterator[tuple[int, int]]:
        """Pairs of a second of Unix time and the offset from then on, in order."""
        if not self.begins:
            return
        for year in years:
            begin = (_second(self.begins, year) - self.standard, self.summer)
            end = (_second(self.ends, year) - self.summer, self.standard)
            yield from sorted((begin, end))


def parse_rule(text: str) -> YearlyRule:
    """The rule; ValueError for text that is none."""
    found = _FORM.match(text)
    if found is None:
        raise ValueError("this is no POSIX rule of a time zone")
    standard, summer, begins, ends = found.groups()
    east = -_clock(standard)  # POSIX counts west of Greenwich
    if begins is None:
        return YearlyRule(east)
    return YearlyRule(east, -_clock(summer) if summer else east + 3600, begins, ends)


def _clock(text: str) -> int:
    hours, *rest = text.lstrip("+-").split(":")
    minutes, seconds = (*(int(part) for part in rest), 0, 0)[:2]
    total = int(hours) * 3600 + minutes * 60 + seconds
    return -total if text.startswith("-") else total


def _second(rule: str, year: int) -> int:
    """The second of the wall clock, counted from 1970, at which a rule falls in a year."""
    day, _, clock = rule.partition("/")
    return (_day(day, year) - _EPOCH).days * _DAY_SECONDS + (_clock(clock) if clock else _TWO_O_CLOCK)


def _day(rule: str, year: int) -> date:
    """``M3.5.0`` is the last Sunday in March, ``J60`` the first of March in every year, ``59`` day 59 from 0."""
    first = date(year, 1, 1)
    if rule.startswith("M"):
        month, week, weekday = (int(part) for part in rule[1:].split("."))
        start = date(year, month, 1)
        wanted = start + timedelta(days=(weekday - start.isoweekday()) % 7 + 7 * (week - 1))
        return wanted if wanted.month == month else wanted - timedelta(days=7)
    if rule.startswith("J"):
        number = int(rule[1:])
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return first + timedelta(days=number - 1 + (leap and number > _LAST_OF_FEBRUARY))
    return first + timedelta(days=int(rule))


_LAST_OF_FEBRUARY = 59
