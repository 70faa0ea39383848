"""Local times in a zone: the offset that its wall clock had (IANA database)."""

from __future__ import annotations

import polars as pl

from schemas.notes import Note
from schemas.zones import CYCLE, known_zone, wall_clock
from transforms.times.flags import flagged

Zone = str | pl.Series | None


def check_zone(zone: Zone) -> None:
    """UsageError when a zone, or any of a column of zones, is not in the IANA database."""
    for name in zone.unique().drop_nulls() if isinstance(zone, pl.Series) else [zone]:
        if name is not None:
            known_zone(name)


def offsets_of_zone(local: pl.Series, zone: Zone) -> tuple[pl.Series, pl.Series]:
    """Offsets in seconds (Int32) of wall clocks (Datetime[us]) in a zone, and the flags (UInt8) that go with them.

    ``zone`` is one name for all, a String column with one for each, or None; a null is no zone. A local time that
    clocks never showed has no offset; of two instants that they showed as the same the earlier is meant. Where
    ``local`` is null there is no offset and no flag.
    """
    if zone is None:
        return _nowhere(local)
    if isinstance(zone, str):
        return _in_one(local, zone)
    east = pl.Series([None], dtype=pl.Int32).new_from_index(0, len(local))
    flags = pl.Series([0], dtype=pl.UInt8).new_from_index(0, len(local))
    for name in zone.unique():
        rows = (zone.is_null() if name is None else zone == name).arg_true()
        own = local.gather(rows)
        found = _nowhere(own) if name is None else _in_one(own, name)
        east, flags = east.scatter(rows, found[0]), flags.scatter(rows, found[1])
    return east, flags


def _nowhere(local: pl.Series) -> tuple[pl.Series, pl.Series]:
    east = pl.Series([None], dtype=pl.Int32).new_from_index(0, len(local))
    return east, flagged(local.is_not_null(), Note.NO_OFFSET_NO_ZONE)


def _in_one(local: pl.Series, zone: str) -> tuple[pl.Series, pl.Series]:
    clock = wall_clock(zone)
    micros = local.cast(pl.Int64)
    latest = micros.max()
    if isinstance(latest, int) and latest >= clock.horizon:
        repeated = clock.horizon + (micros - clock.horizon) % CYCLE
        micros = pl.select(pl.when(micros >= clock.horizon).then(repeated).otherwise(micros)).to_series()
    # Every wall clock lies in an interval, since the first has no beginning; a null finds any and is taken out again.
    interval = clock.begins.search_sorted(micros.fill_null(0), side="right") - 1
    flags = flagged(clock.gap, Note.NONEXISTENT_LOCAL_TIME) | flagged(clock.fold, Note.AMBIGUOUS_LOCAL_TIME)
    flags = flags | flagged(clock.gap.is_not_null(), Note.OFFSET_FROM_ZONE)
    east, raised = clock.east.gather(interval), flags.gather(interval)
    if local.null_count():
        east = pl.select(pl.when(local.is_not_null()).then(east)).to_series()
        raised = pl.select(pl.when(local.is_not_null()).then(raised).otherwise(pl.lit(0, pl.UInt8))).to_series()
    return east, raised
