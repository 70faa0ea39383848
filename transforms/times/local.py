"""Local time as extracts write it, without an offset: ``YYYY-MM-DD hh:mm[:ss[.f]]``, with `T` or a space between."""

from __future__ import annotations

import polars as pl

from transforms.times.columns import Reading, by_runs, columns_of
from transforms.times.texts import CLOCK, by_length, nanoseconds
from transforms.times.wall import SECONDS, read_wall
from transforms.times.zoned import Zone, check_zone, offsets_of_zone

_FORM = rf"^[0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[T ]{CLOCK}(?::{SECONDS}(?:\.[0-9]+)?)?$"
_MINUTE_LENGTH, _SECOND_LENGTH = 16, 19
_PRECISIONS = {_MINUTE_LENGTH: "minute", _SECOND_LENGTH: "second"}


def local_times(text: pl.Series, zone: Zone = None) -> pl.DataFrame:
    """The times of a String column of local date and time, in its order and of its height.

    The columns are those of :func:`transforms.times.fhir_times`; ``precision`` is minute, second or fraction.
    ``zone`` is one IANA name for all rows or a String column with one for each; UsageError for an unknown one.
    """
    check_zone(zone)
    if isinstance(zone, pl.Series):
        return _parse(text, zone)
    return by_runs(text, lambda heads: _parse(heads, zone))


def _parse(text: pl.Series, zone: Zone) -> pl.DataFrame:
    clock = text.str.head(_SECOND_LENGTH)
    lengths = text.str.len_bytes()
    shortest = lengths.min()
    if isinstance(shortest, int) and shortest < _SECOND_LENGTH:
        short = lengths == _MINUTE_LENGTH
        clock = pl.select(pl.when(short).then(clock + ":00").otherwise(clock)).to_series()
    wall = read_wall(text, _FORM, _with_letter(clock), "%Y-%m-%dT%H:%M:%S")
    lengths = wall.text.str.len_bytes()
    longest = lengths.max()
    nanos = digits = None
    if isinstance(longest, int) and longest > _SECOND_LENGTH:
        nanos, digits = nanoseconds(wall.text.str.slice(_SECOND_LENGTH + 1))
    east, flags = offsets_of_zone(wall.local, zone)
    precision = by_length(lengths, _PRECISIONS, "fraction")
    found = Reading(wall.local, precision, east, flags, wall.text.is_not_null(), nanos, digits, wall.leap)
    return columns_of(text, found)


def _with_letter(clock: pl.Series) -> pl.Series:
    """With `T` in the place of a space."""
    return clock.str.replace(" ", "T", literal=True) if clock.str.contains(" ", literal=True).any() else clock
