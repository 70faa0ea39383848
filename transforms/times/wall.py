"""The wall clock that a text shows, and which texts show none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from transforms.times.texts import where

SECOND = 1_000_000  # microseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = int((datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND  # there is no year 0
LAST = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND + SECOND - 1
_LEAP_START = 17  # of the seconds in YYYY-MM-DDTHH:MM:SS
SECONDS = "<seconds>"  # stands for the seconds in a form
_USUAL, _LEAP = "[0-5][0-9]", "60"


@dataclass(frozen=True, slots=True)
class Wall:
    """``text`` is null where it was none or no time; ``local`` Datetime[us] is its date and time up to the second.

    ``leap`` Boolean says where the second was 60, which ``local`` has as 59; None: nowhere.
    """

    text: pl.Series
    local: pl.Series
    leap: pl.Series | None = None


def read_wall(text: pl.Series, form: str, clock: pl.Series, layout: str) -> Wall:
    """The wall clock of a column. ``form`` is the regular expression of its texts; where it has ``SECONDS``, second 60
    is allowed. ``clock`` are the same texts as ``layout`` (of chrono) wants them, all else left out.

    The calendar decides too: there is no 30 February and no year 0.
    """
    fits, leap = matches(text, form)
    if leap is not None:
        second_before = pl.select(pl.when(leap).then(clock.str.head(_LEAP_START) + "59").otherwise(clock))
        clock = second_before.to_series()
    local = clock.str.to_datetime(layout, time_unit="us", strict=False)
    return _sifted(text, fits, local, leap)


def read_days(text: pl.Series, form: str, days: pl.Series, layout: str) -> Wall:
    """The same of a column that has dates only: ``days`` are its texts, completed."""
    fits, _ = matches(text, form)
    return _sifted(text, fits, days.str.to_date(layout, strict=False).cast(pl.Datetime("us")), None)


def matches(text: pl.Series, form: str) -> tuple[pl.Series, pl.Series | None]:
    """Which texts have the form, and which of them a second 60 (both Boolean, null for null); None: none has."""
    fits = text.str.contains(form.replace(SECONDS, _USUAL))
    if SECONDS not in form or fits.all():
        return fits, None
    leap = ~fits & text.str.contains(form.replace(SECONDS, _LEAP))  # a form may do without seconds
    return (fits | leap, leap) if leap.any() else (fits, None)


def _sifted(text: pl.Series, fits: pl.Series, local: pl.Series, leap: pl.Series | None) -> Wall:
    """Without what is no time; a good column is not looked at row by row."""
    micros = local.to_physical()
    earliest = micros.min()
    if isinstance(earliest, int) and earliest >= FIRST and fits.all() and local.null_count() == text.null_count():
        return Wall(text, local, leap)
    good = (fits & (micros >= FIRST)).fill_null(False)
    return Wall(where(good, text), where(good, local), None if leap is None else leap & good)
