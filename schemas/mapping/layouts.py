"""Layouts of dates and times, in the directives of ``strptime``, as regular expressions of their parts."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from schemas.errors import UsageError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
# By directive: the part that it is, its form, and its form where a digit may stand beside it.
_DIRECTIVES = {
    "%Y": ("year", "[0-9]{4}", "[0-9]{4}"),
    "%y": ("short_year", "[0-9]{2}", "[0-9]{2}"),
    "%m": ("month", "[0-9]{1,2}", "[0-9]{2}"),
    "%d": ("day", "[0-9]{1,2}", "[0-9]{2}"),
    "%H": ("hour", "[0-9]{1,2}", "[0-9]{2}"),
    "%I": ("hour12", "[0-9]{1,2}", "[0-9]{2}"),
    "%M": ("minute", "[0-9]{2}", "[0-9]{2}"),
    "%S": ("second", "[0-9]{2}", "[0-9]{2}"),
    "%f": ("fraction", "[0-9]{1,9}", "[0-9]{1,9}"),
    "%p": ("half", "(?i:[ap]\\.?m\\.?)", "(?i:[ap]\\.?m\\.?)"),
    "%b": ("month_name", f"(?i:{'|'.join(MONTHS)})", f"(?i:{'|'.join(MONTHS)})"),
    "%B": ("month_name", f"(?i:{'|'.join(_FULL_MONTHS)})", f"(?i:{'|'.join(_FULL_MONTHS)})"),
    "%a": ("", "(?i:mon|tue|wed|thu|fri|sat|sun)", "(?i:mon|tue|wed|thu|fri|sat|sun)"),
    "%z": ("offset", "(?:Z|[+-][0-9]{2}:?[0-9]{2})", "(?:Z|[+-][0-9]{2}:?[0-9]{2})"),
}
KNOWN = ", ".join((*_DIRECTIVES, "%%"))


@dataclass(frozen=True, slots=True)
class Layout:
    """``pattern`` matches whole texts, with a named group for each of ``parts``."""

    text: str
    pattern: str
    parts: frozenset[str]

    @property
    def two_digit_year(self) -> bool:
        """True when its year has two digits."""
        return "short_year" in self.parts


@functools.cache
def parse_layout(text: str) -> Layout:
    """The layout that a text such as ``%d.%m.%Y %H:%M`` is. UsageError for what is none."""
    pieces = re.findall(r"%.|[^%]+|%$", text)
    pattern, parts = "", list[str]()
    for number, piece in enumerate(pieces):
        if piece == "%%":
            pattern += "%"
        elif piece.startswith("%"):
            if piece not in _DIRECTIVES:
                raise UsageError(f"the format {text!r} has {piece!r}; known are {KNOWN}")
            part, loose, tight = _DIRECTIVES[piece]
            beside = [pieces[i] for i in (number - 1, number + 1) if 0 <= i < len(pieces)]
            form = tight if any(_may_be_digit(one, before=i == 0) for i, one in enumerate(beside)) else loose
            if part in parts:
                raise UsageError(f"the format {text!r} says the {part.replace('_', ' ')} twice")
            if part:
                parts.append(part)
            pattern += f"(?P<{part}>{form})" if part else form
        else:
            pattern += re.escape(piece)
    _must_be_whole(text, set(parts))
    return Layout(text, f"^{pattern}$", frozenset(parts))


def _may_be_digit(piece: str, *, before: bool) -> bool:
    if piece.startswith("%"):
        return piece not in ("%p", "%b", "%B", "%a", "%z", "%%")
    return piece[-1 if before else 0].isdigit()


# What each part needs beside it, so that nothing must be made up.
_NEEDS = (
    ("day", ("month", "month_name"), "a day without its month"),
    ("month", ("year", "short_year"), "a month without its year"),
    ("month_name", ("year", "short_year"), "a month without its year"),
    ("hour", ("day",), "a time of day without a date"),
    ("hour12", ("day",), "a time of day without a date"),
    ("hour12", ("half",), "hours of a half day (%I) without %p"),
    ("half", ("hour12",), "%p without hours of a half day (%I)"),
    ("minute", ("hour", "hour12"), "minutes without an hour"),
    ("second", ("minute",), "seconds without minutes"),
    ("fraction", ("second",), "fractions without a second"),
    ("offset", ("minute",), "an offset without minutes"),
)


def _must_be_whole(text: str, parts: set[str]) -> None:
    if not parts & {"year", "short_year"}:
        raise UsageError(f"the format {text!r} has no year (%Y)")
    if {"year", "short_year"} <= parts or {"month", "month_name"} <= parts or {"hour", "hour12"} <= parts:
        raise UsageError(f"the format {text!r} says the same thing twice")
    for part, needed, said in _NEEDS:
        if part in parts and not parts & set(needed):
            raise UsageError(f"the format {text!r} has {said}")
