"""From what a format says of its times to the columns that all formats share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from schemas.notes import Note
from transforms.runs import heads_of_runs
from transforms.times.flags import flagged, no_flags
from transforms.times.texts import where
from transforms.times.wall import FIRST, LAST, SECOND

FIELDS = ("at", "date", "precision", "offset", "invalid", "nanos", "fraction_digits", "flags")
_NO_NANOS = pl.Series([0], dtype=pl.Int16)
_NO_DIGITS = pl.Series("fraction_digits", [None], dtype=pl.Int8)
_NOTHING = (
    pl.Series("at", [None], dtype=pl.Datetime("us", "UTC")),
    pl.Series("date", [None], dtype=pl.Date),
    pl.Series("precision", [None], dtype=pl.String),
    pl.Series("offset", [None], dtype=pl.Int16),
    pl.Series("invalid", [False]),
    pl.Series("nanos", [None], dtype=pl.Int16),
    _NO_DIGITS,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format makes of a column of texts; all columns have its height.

    ``local`` Datetime[us] is the wall clock up to the second, a leap second being the second before it; ``precision``
    String. Both are null where the text is no time. ``east`` is the offset from UTC in seconds (Int32) or minutes
    (Int16), null where none is known. ``flags`` UInt8 are those that the format raised, ``timed`` Boolean says which
    have a time of day; neither has nulls. ``nanos`` Int64 are nanoseconds after the second, ``digits`` Int8 how many
    digits were sent; None: there are no fractions. ``leap`` Boolean; None: there are no leap seconds.
    """

    local: pl.Series
    precision: pl.Series
    east: pl.Series
    flags: pl.Series
    timed: pl.Series
    nanos: pl.Series | None = None
    digits: pl.Series | None = None
    leap: pl.Series | None = None


def by_runs(text: pl.Series, parse: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    """The columns that ``parse`` makes of a String column, each run of equal neighbours parsed once."""
    if text.null_count() == len(text):
        return nothing(len(text))
    shared = heads_of_runs(text)
    if shared is None:
        return parse(text)
    heads, runs = shared
    return parse(heads).select(pl.all().gather(runs))


def nothing(height: int) -> pl.DataFrame:
    """The shared columns of rows without text."""
    return pl.DataFrame([*(column.new_from_index(0, height) for column in _NOTHING), no_flags(height)])


def columns_without_times(text: pl.Series, local: pl.Series, precision: pl.Series) -> pl.DataFrame:
    """The shared columns of texts that are dates and partial dates only."""
    return nothing(len(text)).with_columns(
        local.dt.date().alias("date"), precision.alias("precision"), _invalid(text, local).alias("invalid")
    )


def columns_of(text: pl.Series, found: Reading) -> pl.DataFrame:
    """The shared columns (``FIELDS``) of a reading of ``text``."""
    at, beyond = _instant(found)
    flags = found.flags if beyond is None else found.flags | flagged(beyond, Note.UTC_OUT_OF_RANGE)
    if found.leap is not None:
        flags = flags | flagged(found.leap, Note.LEAP_SECOND)
    below, digits = _NO_NANOS.new_from_index(0, len(text)), _NO_DIGITS.new_from_index(0, len(text))
    if found.nanos is not None and found.digits is not None:
        below, digits = (found.nanos % 1000).cast(pl.Int16), found.digits
    return pl.DataFrame(
        {
            "at": at,
            "date": found.local.dt.date(),
            "precision": found.precision,
            "offset": _minutes(found.east),
            "invalid": _invalid(text, found.local),
            "nanos": where(found.timed, below),
            "fraction_digits": digits,
            "flags": flags,
        }
    )


def _invalid(text: pl.Series, local: pl.Series) -> pl.Series:
    if local.null_count() == text.null_count():
        return pl.Series([False]).new_from_index(0, len(text))
    return local.is_null() & text.is_not_null()


def _instant(found: Reading) -> tuple[pl.Series, pl.Series | None]:
    """Datetime[us, UTC], and where it lies outside the years of UTC; None: nowhere."""
    unit = SECOND if found.east.dtype == pl.Int32 else SECOND * 60
    micros = found.local.cast(pl.Int64) - found.east.cast(pl.Int64) * unit
    if found.nanos is not None:
        micros = micros + found.nanos // 1000
    if found.leap is not None:
        micros = micros + found.leap.fill_null(False).cast(pl.Int64) * SECOND
    micros = where(found.timed, micros)
    first, last = micros.min(), micros.max()
    beyond = None
    if isinstance(first, int) and isinstance(last, int) and not (first >= FIRST and last <= LAST):
        beyond = ~micros.is_between(FIRST, LAST)
        micros = where(~beyond, micros)
    return micros.cast(pl.Datetime("us", "UTC")), beyond


def _minutes(east: pl.Series) -> pl.Series:
    """Offsets as whole minutes, Int16; the seconds of an old local mean time are left out."""
    if east.dtype == pl.Int16:
        return east
    return (east.abs() // 60 * east.sign()).cast(pl.Int16)
