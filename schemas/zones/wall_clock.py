"""What a zone's wall clock says of every local time: its offset, and whether clocks showed it once, twice or never."""

from __future__ import annotations

import functools
import importlib.resources
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from schemas.zones.names import known_zone
from schemas.zones.rule import parse_rule
from schemas.zones.tzif import parse_tzif

_CYCLE_YEARS = 400  # of the Gregorian calendar, after which dates fall on the same weekdays again
CYCLE = 146_097 * 86_400 * 1_000_000  # the same in microseconds
_BEGINNING = -(2**63)


@dataclass(frozen=True, slots=True)
class WallClock:
    """Local times of a zone by the intervals that they lie in.

    ``begins`` (Int64, sorted) are the first local microseconds, counted from 1970, of the intervals; the first
    reaches back without end. ``east`` (Int32) is the offset from UTC in seconds, in a fold that of the earlier
    instant, in a gap null. ``gap`` and ``fold`` are Boolean. From ``horizon`` on the intervals are those of 400 years
    earlier or later, so a later local time is looked up at ``horizon + (local - horizon) % CYCLE``.
    """

    begins: pl.Series
    east: pl.Series
    gap: pl.Series
    fold: pl.Series
    horizon: int


@functools.cache
def wall_clock(zone: str) -> WallClock:
    """The wall clock of a zone by its IANA name; UsageError for one that is unknown."""
    file = importlib.resources.files("tzdata").joinpath("zoneinfo", *known_zone(zone).split("/"))
    found = parse_tzif(file.read_bytes())
    listed = found.transitions
    last = datetime.fromtimestamp(listed[-1][0], UTC).year if listed else 1970
    horizon = max(last + 1, 1970)
    rule = parse_rule(found.footer)
    later = (
        change
        for change in rule.transitions(range(last, horizon + _CYCLE_YEARS + 1))
        if not listed or change[0] > listed[-1][0]
    )
    return _made(found.first if listed else rule.standard, [*listed, *later], horizon)


def _made(first: int, transitions: list[tuple[int, int]], horizon: int) -> WallClock:
    """The intervals between the ends of gaps and folds: in seconds first, then as columns."""
    rows: list[tuple[int, int, bool, bool]] = [(_BEGINNING, first, False, False)]
    before = first
    for moment, after in transitions:
        if after != before:
            begin, end = moment + min(before, after), moment + max(before, after)
            rows += [(begin, before, after > before, after < before), (end, after, False, False)]
        before = after
    begins, east, gap, fold = zip(*rows, strict=True)
    start = datetime(horizon, 1, 1, tzinfo=UTC).timestamp()
    return WallClock(
        pl.Series([_BEGINNING, *(second * 1_000_000 for second in begins[1:])], dtype=pl.Int64),
        pl.Series([None if missing else offset for offset, missing in zip(east, gap, strict=True)], dtype=pl.Int32),
        pl.Series(gap, dtype=pl.Boolean),
        pl.Series(fold, dtype=pl.Boolean),
        int(start) * 1_000_000,
    )
