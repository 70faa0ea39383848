"""Texts of dates and times in declared layouts, as :mod:`transforms.times.bracketed` writes them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from schemas.mapping.layouts import MONTHS, Layout, parse_layout
from transforms.distinct import distinct_rows

# ISO 8601 as extracts write it: date and time with `T` or a blank between, whatever of the end is known.
_ISO = Layout(
    "ISO 8601",
    r"^(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)? ?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?$",
    frozenset({"year", "month", "day", "hour", "minute", "second", "fraction", "offset"}),
)
_REAL = (
    r"^[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-[0-3][0-9](?:T(?:[01][0-9]|2[0-3])"
    r"(?::[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]+)?)?)?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]|\[[^\]]*\])?)?)?)?$"
)
_WHOLE = {4: "-01-01", 7: "-01"}


@dataclass(frozen=True, slots=True)
class Dates:
    """``text`` is in the one spelling, null where the text was null or is no time; ``unfit`` and ``ambiguous``
    (Boolean, no nulls) say where it is none by any layout, and another by each of two.
    """

    text: pl.Series
    unfit: pl.Series
    ambiguous: pl.Series


def read_dates(text: pl.Series, formats: Sequence[str], years_from: int | None, zone: str | None) -> Dates:
    """The times of a String column; ``formats`` are layouts, none for ISO 8601; ``zone`` is that of local times.

    A leap second and the last day of a month are as the calendar has them. No part that a layout lacks is made up.
    """
    frame = text.alias("sent").to_frame()
    shared = distinct_rows(frame)
    heads = frame["sent"] if shared is None else shared[0]["sent"]
    layouts = [parse_layout(one) for one in formats] or [_ISO]
    read = [_read(heads, layout, years_from, zone) for layout in layouts]
    made = pl.DataFrame([one.alias(str(number)) for number, one in enumerate(read)])
    first = pl.coalesce(pl.all())
    differs = pl.any_horizontal((pl.col(name) != first).fill_null(False) for name in made.columns)
    told = made.select(
        text=pl.when(~differs).then(first),
        unfit=first.is_null() & heads.is_not_null(),
        ambiguous=differs,
    )
    if shared is not None:
        told = told.select(pl.all().gather(shared[1]))
    return Dates(told["text"], told["unfit"], told["ambiguous"])


def _read(text: pl.Series, layout: Layout, years_from: int | None, zone: str | None) -> pl.Series:
    """The texts that have the layout and are real, in the one spelling; null elsewhere."""
    groups = pl.DataFrame({"sent": text}).select(pl.col("sent").str.extract_groups(layout.pattern)).to_series()
    parts = groups.struct.unnest()
    made = parts.select(_spelled(layout, years_from, zone)).to_series()
    fits = text.str.contains(layout.pattern) & made.str.contains(_REAL)
    days = made.str.head(10)
    rest = days.str.len_bytes().replace_strict(list(_WHOLE), list(_WHOLE.values()), default="", return_dtype=pl.String)
    real = (days + rest).str.to_date("%Y-%m-%d", strict=False).is_not_null()
    return pl.select(pl.when(fits & real & ~made.str.starts_with("0000")).then(made)).to_series()


def _spelled(layout: Layout, years_from: int | None, zone: str | None) -> pl.Expr:
    parts = layout.parts
    year = pl.col("year") if "year" in parts else _century(years_from or 0)
    pieces = [year]
    if "month_name" in parts:
        pieces.append("-" + _month_number())
    elif "month" in parts:
        pieces.append("-" + pl.col("month").str.zfill(2))
    if "day" in parts:
        pieces.append("-" + pl.col("day").str.zfill(2))
    hour = _hour(parts)
    if hour is not None:
        pieces.append("T" + hour)
        pieces += [pl.lit(mark) + pl.col(part) for part, mark in _CLOCK if part in parts]
        pieces.append(_ending(hour, "offset" in parts, zone))
    return pl.concat_str(pieces, ignore_nulls=True)


_CLOCK = (("minute", ":"), ("second", ":"), ("fraction", "."))


def _century(years_from: int) -> pl.Expr:
    """The year of the hundred from ``years_from`` on that two digits mean."""
    short = pl.col("short_year").cast(pl.Int32)
    return (years_from + (short - years_from) % 100).cast(pl.String).str.zfill(4)


@functools.cache
def _numbers() -> dict[str, str]:
    return {name: f"{number:02d}" for number, name in enumerate(MONTHS, 1)}


def _month_number() -> pl.Expr:
    short = pl.col("month_name").str.to_lowercase().str.head(3)
    return short.replace_strict(list(_numbers()), list(_numbers().values()), default=None, return_dtype=pl.String)


def _hour(parts: frozenset[str]) -> pl.Expr | None:
    if "hour" in parts:
        return pl.col("hour").str.zfill(2)
    if "hour12" not in parts:
        return None
    hour = pl.col("hour12").cast(pl.Int32)
    late = pl.col("half").str.to_lowercase().str.starts_with("p")
    of_day = hour % 12 + pl.when(late).then(12).otherwise(0)
    # There is no hour 0 and no hour 13 of a half day: 99 is no hour either.
    return pl.when(hour.is_between(1, 12)).then(of_day).otherwise(99).cast(pl.String).str.zfill(2)


def _ending(hour: pl.Expr, told: bool, zone: str | None) -> pl.Expr:
    """The offset as sent, else the zone in brackets; null for a date."""
    none = pl.lit(None, dtype=pl.String)
    offset = none
    if told:
        sent = pl.col("offset")
        colon = sent.str.replace(r"^([+-][0-9]{2})([0-9]{2})$", "${1}:${2}")
        offset = pl.when(hour.is_not_null()).then(colon)
    bracket = none if zone is None else pl.when(hour.is_not_null()).then(pl.lit(f"[{zone}]"))
    return pl.coalesce(offset, bracket)
