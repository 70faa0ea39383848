"""Times in one spelling for all layouts of extracts: ISO 8601 with an offset, or with a zone in brackets (RFC 9557).

``2024``, ``2024-05``, ``2024-05-01``, ``2024-05-01T10``, ``2024-05-01T10:30:00.25+02:00``,
``2024-05-01T10:30[Europe/Berlin]``. No format of files is meant: transforms write such texts and read them again.
"""

from __future__ import annotations

import polars as pl

from schemas.notes import Note
from transforms.times.columns import Reading, by_runs, columns_of
from transforms.times.flags import flagged, no_flags
from transforms.times.texts import by_length, nanoseconds, where
from transforms.times.wall import SECONDS, Wall, read_wall
from transforms.times.zoned import offsets_of_zone

_HOUR = "(?:[01][0-9]|2[0-3])"
_ENDING = r"(?:Z|[+-][0-9]{2}:[0-9]{2}|\[[^\]]*\])"
_CLOCK = rf"T{_HOUR}(?::[0-5][0-9](?::{SECONDS}(?:\.[0-9]+)?)?)?{_ENDING}?"
_FORM = rf"^[0-9]{{4}}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01])(?:{_CLOCK})?)?)?$"
_DATE_LENGTH, _SECOND_LENGTH = 10, 19
_MISSING = {4: "-01-01T00:00:00", 7: "-01T00:00:00", 10: "T00:00:00", 13: ":00:00", 16: ":00"}
_PRECISIONS = {4: "year", 7: "month", 10: "day", 13: "hour", 16: "minute", 19: "second"}


def bracketed_times(text: pl.Series, fhir_type: str = "dateTime") -> pl.DataFrame:
    """The times of a String column, in its order and of its height; the columns of :func:`transforms.times.fhir_times`.

    ``precision`` may also be hour or minute. A ``date`` (FHIR R4 2.24.0.1) has no time of day.
    """
    return by_runs(text, lambda heads: _parse(heads, dates=fhir_type == "date"))


def _parse(text: pl.Series, *, dates: bool) -> pl.DataFrame:
    clock = text.str.replace(f"{_ENDING}$", "")
    lengths = clock.str.len_bytes()
    rest = lengths.replace_strict(list(_MISSING), list(_MISSING.values()), default="", return_dtype=pl.String)
    timed = (lengths > _DATE_LENGTH).fill_null(False)
    form = _FORM.replace(f"(?:{_CLOCK})?", "") if dates else _FORM
    wall = read_wall(text, form, clock.str.head(_SECOND_LENGTH) + rest, "%Y-%m-%dT%H:%M:%S")
    if wall.text is not text:
        good = wall.text.is_not_null()
        clock, timed, lengths = where(good, clock), timed & good, where(good, lengths)
    longest = lengths.max()
    nanos = digits = None
    if isinstance(longest, int) and longest > _SECOND_LENGTH:
        nanos, digits = nanoseconds(clock.str.slice(_SECOND_LENGTH + 1))
    east, flags = _offsets(text, wall, timed)
    precision = by_length(lengths, _PRECISIONS, "fraction")
    return columns_of(text, Reading(wall.local, precision, east, flags, timed, nanos, digits, wall.leap))


def _offsets(text: pl.Series, wall: Wall, timed: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Offsets in seconds (Int32) as sent, else of the zone in brackets, and their flags."""
    if not timed.any():
        return pl.Series([None], dtype=pl.Int32).new_from_index(0, len(text)), no_flags(len(text))
    sent = text.str.extract("(Z|[+-][0-9]{2}:[0-9]{2})$")
    sent = where(timed, sent)
    sign = pl.when(sent.str.starts_with("-")).then(-1).otherwise(1)
    minutes = sent.str.slice(1, 2).cast(pl.Int32, strict=False) * 60 + sent.str.slice(4, 2).cast(pl.Int32, strict=False)
    told = pl.select(pl.when(sent == "Z").then(0).otherwise(sign * minutes * 60).cast(pl.Int32)).to_series()
    told = where(sent.is_not_null(), told)
    flags = flagged(sent == "-00:00", Note.NEGATIVE_ZERO_OFFSET)
    lacking = timed & told.is_null()
    if not lacking.any():
        return told, flags
    local = where(lacking, wall.local)
    names = where(lacking, text.str.extract(r"\[([^\]]*)\]$"))
    only = names.drop_nulls().unique()
    everywhere = names.null_count() == local.null_count() and len(only) == 1
    east, raised = offsets_of_zone(local, only[0] if everywhere else names if len(only) else None)
    return pl.select(pl.coalesce(told, east)).to_series(), flags | raised
