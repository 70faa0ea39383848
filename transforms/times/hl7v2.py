"""HL7 v2 date and time (HL7 v2.9 2A, DTM; TS before v2.6): ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``."""

from __future__ import annotations

import polars as pl

from schemas.notes import Note
from transforms.times.columns import Reading, by_runs, columns_of
from transforms.times.flags import flagged, no_flags
from transforms.times.texts import by_length, nanoseconds, where
from transforms.times.wall import Wall, read_wall
from transforms.times.zoned import Zone, check_zone, offsets_of_zone

_CLOCK = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,4})?)?)?"
_DATE = rf"[0-9]{{4}}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12][0-9]|3[01])(?:{_CLOCK})?)?)?"
_OFFSET = "[+-](?:(?:0[0-9]|1[0-3])[0-5][0-9]|1400)"
_FORM = f"^{_DATE}(?:{_OFFSET})?$"
_SECOND_LENGTH = 14  # YYYYMMDDHHMMSS
_DATE_LENGTH = 8
_OFFSET_LENGTH = 5
_ENDINGS = {4: "0101000000", 6: "01000000", 8: "000000", 10: "0000", 12: "00"}
_PRECISIONS = {4: "year", 6: "month", 8: "day", 10: "hour", 12: "minute", 14: "second"}
_NEGATIVE_ZERO = -32_768  # in place of the offset -0000
_OFFSETS = {
    f"{sign}{minutes // 60:02d}{minutes % 60:02d}": (1 if sign == "+" else -1) * minutes
    for sign in "+-"
    for minutes in range(14 * 60 + 1)
} | {"-0000": _NEGATIVE_ZERO}
_WRITTEN = pl.Series(list(_OFFSETS), dtype=pl.String)
_MEANT = pl.Series(list(_OFFSETS.values()), dtype=pl.Int16)


def hl7v2_times(text: pl.Series, zone: Zone = None) -> pl.DataFrame:
    """The times of a String column of HL7 v2 DTM, or of the first component of TS, in its order and of its height.

    The columns are those of :func:`transforms.times.fhir_times`; ``precision`` may also be hour or minute. A time of
    day without an offset is one of ``zone``: one IANA name for all rows or a String column with one for each. An
    offset after a date is kept, though a date has no instant. UsageError for an unknown zone.
    """
    check_zone(zone)
    if isinstance(zone, pl.Series):
        return _parse(text, zone)
    return by_runs(text, lambda heads: _parse(heads, zone))


def _parse(text: pl.Series, zone: Zone) -> pl.DataFrame:
    end = text.str.tail(_OFFSET_LENGTH)
    offset = end.str.starts_with("+") | end.str.starts_with("-")
    written, clock = None, text
    if offset.any():
        written = where(offset, end)
        clock = pl.select(pl.when(offset).then(text.str.head(-_OFFSET_LENGTH)).otherwise(text)).to_series()
    wall = read_wall(text, _FORM, _completed(clock), "%Y%m%d%H%M%S")
    if wall.text is not text:
        good = wall.text.is_not_null()
        clock, written = where(good, clock), written if written is None else where(good, written)
    return columns_of(text, _reading(wall, clock, written, zone))


def _completed(clock: pl.Series) -> pl.Series:
    """Texts without offset as 14 digits, of what they lack the first."""
    lengths = clock.str.len_bytes()
    shortest, longest = lengths.min(), lengths.max()
    if shortest == longest == _SECOND_LENGTH:
        return clock
    ending = lengths.replace_strict(list(_ENDINGS), list(_ENDINGS.values()), default="", return_dtype=pl.String)
    return clock.str.head(_SECOND_LENGTH) + ending


def _reading(wall: Wall, clock: pl.Series, written: pl.Series | None, zone: Zone) -> Reading:
    """``clock`` and ``written`` (None: there are none) are the texts before and after the sign of the offset."""
    lengths = clock.str.len_bytes()
    timed = (lengths > _DATE_LENGTH).fill_null(False)
    longest = lengths.max()
    nanos = digits = None
    if isinstance(longest, int) and longest > _SECOND_LENGTH:
        nanos, digits = nanoseconds(clock.str.slice(_SECOND_LENGTH + 1))
    east, flags = _offsets(wall, timed, written, zone)
    return Reading(wall.local, by_length(lengths, _PRECISIONS, "fraction"), east, flags, timed, nanos, digits)


def _offsets(wall: Wall, timed: pl.Series, written: pl.Series | None, zone: Zone) -> tuple[pl.Series, pl.Series]:
    """Offsets in seconds (Int32) as sent, else of the zone, and their flags."""
    if written is None:
        return offsets_of_zone(where(timed, wall.local), zone)
    sent = written.replace_strict(_WRITTEN, _MEANT, default=None, return_dtype=pl.Int16)
    flags = no_flags(len(sent))
    if sent.min() == _NEGATIVE_ZERO:
        negative = sent == _NEGATIVE_ZERO
        flags, sent = flagged(negative, Note.NEGATIVE_ZERO_OFFSET), sent.set(negative, 0)
    lacking = timed & sent.is_null()
    if not lacking.any():
        return sent, flags
    east, raised = offsets_of_zone(where(lacking, wall.local), zone)
    seconds = pl.select(pl.coalesce(sent.cast(pl.Int32) * 60, east)).to_series()
    return seconds, flags | raised
