"""FHIR `date`, `dateTime` and `instant` (FHIR R4 2.24.0.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import polars as pl

from schemas.notes import Note
from transforms.times.columns import Reading, by_runs, columns_of, columns_without_times
from transforms.times.flags import flagged, no_flags
from transforms.times.texts import CLOCK, by_length, constant, nanoseconds, where
from transforms.times.wall import SECONDS, Wall, read_days, read_wall

_YEAR = "[0-9]{4}"
_MONTH = "(?:0[1-9]|1[0-2])"
_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_REST = r"(?:\.[0-9]+)?(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_FORMS = {
    "date": f"^{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?$",
    "dateTime": f"^{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{CLOCK}:{SECONDS}{_REST})?)?)?$",
    "instant": f"^{_YEAR}-{_MONTH}-{_DAY}T{CLOCK}:{SECONDS}{_REST}$",
}
_LOCAL_LENGTH = 19  # YYYY-MM-DDTHH:MM:SS
_DATE_LENGTH = 10
_OFFSET_LENGTH = 6
_FIRST_DAY = {4: "-01-01", 7: "-01", 10: ""}
_MIDNIGHT = {4: "-01-01T00:00:00", 7: "-01T00:00:00", 10: "T00:00:00"}
_PRECISIONS = {4: "year", 7: "month", 10: "day"}
_NEGATIVE_ZERO = -32_768  # in place of the offset -00:00, so that a column shows quickly whether it has any
_OFFSETS = {
    f"{sign}{minutes // 60:02d}:{minutes % 60:02d}": (1 if sign == "+" else -1) * minutes
    for sign in "+-"
    for minutes in range(14 * 60 + 1)
} | {"-00:00": _NEGATIVE_ZERO}
_WRITTEN = pl.Series(list(_OFFSETS), dtype=pl.String)
_MEANT = pl.Series(list(_OFFSETS.values()), dtype=pl.Int16)


def fhir_times(text: pl.Series, fhir_type: str) -> pl.DataFrame:
    """The times of a String column of FHIR ``date``, ``dateTime`` or ``instant``, in its order and of its height.

    Columns: ``at`` Datetime[us, UTC], ``date`` Date, ``precision`` String (year, month, day, second, fraction),
    ``offset`` Int16 in minutes, ``invalid`` Boolean (never null: text that is no time of its kind), ``nanos`` Int16
    (nanoseconds below the microsecond), ``fraction_digits`` Int8 (of the fraction as sent), ``flags`` UInt8 (never
    null: see :func:`transforms.times.raised`). All but ``invalid`` and ``flags`` are null where the text is null or
    no time; ``at`` also for a date, a partial date and an instant outside the years 1 to 9999 of UTC.
    """
    return by_runs(text, partial(_parse, fhir_type=fhir_type))


def _parse(text: pl.Series, fhir_type: str) -> pl.DataFrame:
    form, lengths = _FORMS[fhir_type], text.str.len_bytes()
    shortest, longest = lengths.min(), lengths.max()
    assert isinstance(shortest, int)  # there is a text: a column without any never comes here
    assert isinstance(longest, int)
    if longest <= _DATE_LENGTH:
        days = text if shortest == _DATE_LENGTH else _completed(text, lengths, _FIRST_DAY)
        wall = read_days(text, form, days, "%Y-%m-%d")
        return columns_without_times(text, wall.local, by_length(wall.text.str.len_bytes(), _PRECISIONS, "day"))
    clock, mixed = text.str.head(_LOCAL_LENGTH), shortest <= _DATE_LENGTH
    if mixed:
        completed = _completed(text, lengths, _MIDNIGHT)
        clock = pl.select(pl.when(lengths > _DATE_LENGTH).then(clock).otherwise(completed)).to_series()
    wall = read_wall(text, form, clock, "%Y-%m-%dT%H:%M:%S")
    if wall.text is not text:
        lengths = wall.text.str.len_bytes()
    timed = (lengths > _DATE_LENGTH).fill_null(False) if mixed else wall.text.is_not_null()
    return columns_of(text, _reading(wall, lengths, timed))


def _completed(text: pl.Series, lengths: pl.Series, endings: Mapping[int, str]) -> pl.Series:
    """Partial dates with what they lack of the first day, by their length."""
    rest = lengths.replace_strict(list(endings), list(endings.values()), default="", return_dtype=pl.String)
    return text + rest


def _reading(wall: Wall, lengths: pl.Series, timed: pl.Series) -> Reading:
    tail = wall.text.str.slice(_LOCAL_LENGTH)
    pointed = tail.str.starts_with(".")
    fractions = bool(pointed.any())
    written = tail.str.tail(_OFFSET_LENGTH) if fractions else tail
    east = written.replace_strict(_WRITTEN, _MEANT, default=None, return_dtype=pl.Int16)
    flags = no_flags(len(tail))
    dates = timed.sum() < len(tail) - tail.null_count()
    precision = by_length(lengths, _PRECISIONS, "second") if dates else constant("second", tail)
    nanos = digits = None
    if fractions:
        # After the point and before the offset, which is one letter where it is not among the offsets.
        around = 1 + pl.select(pl.when(east.is_null()).then(1).otherwise(_OFFSET_LENGTH)).to_series()
        many = (tail.str.len_bytes().cast(pl.Int32) - around).clip(lower_bound=0)
        nanos, digits = nanoseconds(pl.select(pl.lit(tail).str.slice(1, pl.lit(many))).to_series())
        precision = pl.select(pl.when(pointed).then(pl.lit("fraction")).otherwise(precision)).to_series()
    if east.min() == _NEGATIVE_ZERO:
        negative = east == _NEGATIVE_ZERO
        flags = flags | flagged(negative, Note.NEGATIVE_ZERO_OFFSET)
        east = east.set(negative, 0)
    return Reading(
        local=wall.local,
        precision=precision,
        east=where(timed, east.fill_null(0)),
        flags=flags,
        timed=timed,
        nanos=nanos,
        digits=digits,
        leap=wall.leap,
    )
