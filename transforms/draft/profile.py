"""What a sample of a column looks like: empty, numbers, dates and in which layouts, a few values again and again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import polars as pl

from transforms.decode.extract.dates import read_dates
from transforms.decode.extract.numbers import read_numbers

NULLS = ("NULL", "null", "\\N", "(null)")  # texts that databases write for nothing
DOUBTFUL = ("NA", "N/A", "NaN", "None", "nan", "-", ".", "?")  # that may mean something too: sodium is NA
_DATES = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d %Y",
    "%b %d, %Y",
    "%d-%b-%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", "%H%M", "%H%M%S")
_MIDNIGHTS = (" 00:00", " 00:00:00", " 00:00:00.0", " 00:00:00.000", "T00:00:00", " 12:00:00 AM")
_CENTURY = 1930  # where a draft lets the hundred years of two digits begin, which its comment says
_FEW = 12  # values of a column of codes
_SHORT = 24  # characters of a code


@dataclass(frozen=True, slots=True)
class Profile:
    """``rows`` of the sample, ``filled`` of them, with so many ``distinct`` values. ``nulls`` are texts that mean a
    missing value, ``doubtful`` some that may. ``padded``: blanks stand around some values.

    ``layouts``: each of these lists of layouts reads all values; the empty list is ISO 8601. ``local``: some have a
    time of day and no offset. ``number``: decimal and thousands mark where most are numbers, else None. ``values`` are
    all values of a column of few. ``fits_id``: all could be ids. ``loinc``: all look like codes of LOINC.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    nulls: tuple[str, ...]
    doubtful: tuple[str, ...]
    padded: bool
    layouts: tuple[tuple[str, ...], ...]
    local: bool
    number: tuple[str, str] | None
    values: tuple[str, ...]
    fits_id: bool
    loinc: bool

    @property
    def unique(self) -> bool:
        """True when no two rows have the same value, and all have one."""
        return self.rows == self.filled == self.distinct


def profile(column: pl.Series) -> Profile:
    """Look at the sample of a column (String, null where a field is empty)."""
    given = column.drop_nulls()
    padded = bool((given != given.str.strip_chars()).any())
    text = given.str.strip_chars()
    nulls = tuple(name for name in NULLS if (text == name).any())
    doubtful = tuple(name for name in DOUBTFUL if (text == name).any())
    text = text.filter(~text.is_in([*nulls, *doubtful, ""]))
    distinct = text.unique(maintain_order=True)
    layouts = _layouts(distinct)
    local = any(_is_local(distinct, one) for one in layouts)
    few = distinct.sort().to_list() if 0 < len(distinct) <= _FEW and len(text) > len(distinct) else []
    values = tuple(few) if all(len(value) <= _SHORT for value in few) else ()
    fits = bool(distinct.str.contains(r"^[A-Za-z0-9\-.]{1,64}$").all())
    return Profile(
        name=column.name,
        rows=len(column),
        filled=len(text),
        distinct=len(distinct),
        nulls=nulls,
        doubtful=doubtful,
        padded=padded,
        layouts=layouts,
        local=local,
        number=_number(distinct),
        values=values,
        fits_id=fits,
        loinc=bool(len(distinct)) and bool(distinct.str.contains("^[0-9]{1,5}-[0-9]$").all()),
    )


def _layouts(text: pl.Series) -> tuple[tuple[str, ...], ...]:
    if text.is_empty() or not text.str.contains("[0-9]").all() or text.str.len_chars().max() < 6:  # type: ignore[operator]
        return ()
    midnights = [f"%Y-%m-%d{clock}" for clock in _MIDNIGHTS] + [
        date + clock for date in _DATES for clock in _MIDNIGHTS if not clock.startswith("T")
    ]
    if not read_dates(text, (), None, None).unfit.any():
        found = [(layout,) for layout in midnights if _reads(text, (layout,))]
        return tuple(found) or ((),)
    single = [one for one in midnights if _reads(text, (one,))]
    single = single or [date + clock for date in _DATES for clock in _CLOCKS if _reads(text, (date + clock,))]
    if single:
        return tuple((one,) for one in single)
    some = [date + clock for date in _DATES for clock in _CLOCKS if _some(text, date + clock)]
    pairs = (pair for pair in itertools.combinations(some, 2) if pair[0].split()[0] == pair[1].split()[0])
    return tuple(pair for pair in pairs if _reads(text, pair))


def _reads(text: pl.Series, formats: tuple[str, ...]) -> bool:
    read = read_dates(text.head(1), formats, _CENTURY, None)
    if read.unfit.any():
        return len(formats) > 1 and _all(text, formats)
    return _all(text, formats)


def _all(text: pl.Series, formats: tuple[str, ...]) -> bool:
    read = read_dates(text, formats, _CENTURY, None)
    return not (read.unfit.any() or read.ambiguous.any())


def _some(text: pl.Series, layout: str) -> bool:
    return read_dates(text, (layout,), _CENTURY, None).text.is_not_null().any()


def _is_local(text: pl.Series, formats: tuple[str, ...]) -> bool:
    read = read_dates(text, formats, _CENTURY, None).text
    return bool(read.str.contains(r"T[0-9:.]+$").any())


def _number(text: pl.Series) -> tuple[str, str] | None:
    """Decimal and thousands mark by which nearly all are numbers; the plainest first."""
    if text.is_empty():
        return None
    for decimal, thousands in ((".", ""), (".", ","), (",", ""), (",", "."), (".", "'"), (",", " ")):
        unfit = read_numbers(text, decimal, thousands, bounds=True).unfit
        if not unfit.filter(text.str.contains("^[-+<>=0-9.,' ]+$")).any() and unfit.sum() < len(text) / 2:
            return decimal, thousands
    return None
