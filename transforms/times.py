"""FHIR times as columns: `date`, `dateTime`, `instant` (FHIR R4 2.24.0.1) over whole columns.

No time of day is ever invented: a date or partial date has no instant. Fractions of a second are cut to
microseconds, never
rounded. A leap second (`:60`) is the first instant of the next minute.
"""

from __future__ import annotations

import polars as pl

from transforms.runs import heads_of_runs

_YEAR = "[0-9]{4}"
_MONTH = "(?:0[1-9]|1[0-2])"
_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_OFFSET = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_FORMS = {
    "date": f"^{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?$",
    "dateTime": f"^{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_CLOCK}{_OFFSET})?)?)?$",
    "instant": f"^{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_OFFSET}$",
}
_LOCAL_LENGTH = 19  # YYYY-MM-DDTHH:MM:SS
_MIDNIGHT = {4: "-01-01T00:00:00", 7: "-01T00:00:00", 10: "T00:00:00"}
_MINUTE_LENGTH = 16  # YYYY-MM-DDTHH:MM
_DATE_LENGTH = 10
_OFFSETS = {"Z": 0} | {
    f"{sign}{minutes // 60:02d}:{minutes % 60:02d}": (1 if sign == "+" else -1) * minutes
    for sign in "+-"
    for minutes in range(14 * 60 + 1)
}


FIELDS = ("at", "date", "precision", "offset", "invalid", "nanos")


def fhir_times(text: pl.Series, fhir_type: str) -> pl.DataFrame:
    """The times of a String column of FHIR ``date``, ``dateTime`` or ``instant``, in its order and of its height.

    Columns: ``at`` Datetime[us, UTC], ``date`` Date, ``precision`` String (year, month, day, second, fraction),
    ``offset`` Int16
    in minutes, ``invalid`` Boolean (never null: text that is no time of its kind), ``nanos`` Int16 (nanoseconds
    below the
    microsecond). All but ``invalid`` are null where the text is null or no time; ``at`` also for a date, a partial
    date and an
    instant outside the years 1 to 9999 of UTC.
    """
    if text.null_count() == len(text):
        return _empty(len(text))
    shared = heads_of_runs(text)
    if shared is None:
        return _parse(text, fhir_type)
    heads, runs = shared
    return _parse(heads, fhir_type).select(pl.all().gather(runs))


def _empty(height: int) -> pl.DataFrame:
    at = pl.Series("at", [None], dtype=pl.Datetime("us", "UTC"))
    date = pl.Series("date", [None], dtype=pl.Date)
    precision = pl.Series("precision", [None], dtype=pl.String)
    small = pl.Series("offset", [None], dtype=pl.Int16)
    row = [at, date, precision, small, pl.Series("invalid", [False]), small.alias("nanos")]
    return pl.DataFrame([column.new_from_index(0, height) for column in row])


def _parse(text: pl.Series, fhir_type: str) -> pl.DataFrame:
    """The columns of :func:`fhir_times`, one parse per row."""
    x = pl.col("x")
    frame = pl.DataFrame({"x": text}).with_columns(
        form=x.str.contains(_FORMS[fhir_type]),
        length=x.str.len_bytes(),
        tail=x.str.slice(_LOCAL_LENGTH),
    )
    frame = frame.with_columns(
        local=_local(frame).alias("local"),
        offset=_offset(frame),
        fraction=_fraction(frame),
    )
    local, offset, fraction = pl.col("local"), pl.col("offset"), pl.col("fraction")
    whole = pl.col("length") > _DATE_LENGTH
    shift = fraction // 1000 - offset.cast(pl.Int64) * 60_000_000
    frame = frame.with_columns(
        valid=(pl.col("form") & local.is_not_null() & (local.dt.year() > 0)).fill_null(False),
        at=pl.when(whole).then(local + shift.cast(pl.Duration("us"))),
    )
    valid, at = pl.col("valid"), pl.col("at")
    return frame.select(
        at=pl.when(valid & at.dt.year().is_between(1, 9999)).then(at).dt.replace_time_zone("UTC"),
        date=pl.when(valid).then(local.dt.date() if not _has_leap(frame) else _day_written()),
        precision=pl.when(valid).then(_precision()),
        offset=pl.when(valid & whole).then(offset),
        invalid=x.is_not_null() & ~valid,
        nanos=pl.when(valid & whole).then((fraction % 1000).cast(pl.Int16)),
    )


def _local(frame: pl.DataFrame) -> pl.Expr:
    """The wall clock as sent, Datetime[us] without zone; null for what is no calendar date."""
    x, length = pl.col("x"), pl.col("length")
    clock = x.str.head(_LOCAL_LENGTH)
    if frame.select((length <= _DATE_LENGTH).any()).item():
        rest = length.replace_strict(_MIDNIGHT, default="", return_dtype=pl.String)
        clock = pl.when(length > _DATE_LENGTH).then(clock).otherwise(x + rest)
    if not _has_leap(frame):
        return _to_datetime(clock)
    leap = _is_leap()
    before = pl.when(leap).then(x.str.head(_MINUTE_LENGTH) + ":59").otherwise(clock)
    return _to_datetime(before) + leap.fill_null(False).cast(pl.Int64).cast(pl.Duration("us")) * 1_000_000


def _to_datetime(clock: pl.Expr) -> pl.Expr:
    return clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)


def _has_leap(frame: pl.DataFrame) -> bool:
    return bool(frame.select(pl.col("x").str.contains(":60", literal=True).any()).item())


def _is_leap() -> pl.Expr:
    return pl.col("x").str.slice(_MINUTE_LENGTH, 3) == ":60"


def _day_written() -> pl.Expr:
    """The calendar date as written: a leap second at midnight does not move it to the next day."""
    local = pl.col("local")
    return pl.when(_is_leap()).then(local - pl.duration(seconds=1, time_unit="us")).otherwise(local).dt.date()


def _offset(frame: pl.DataFrame) -> pl.Expr:
    """Minutes east of UTC; the few distinct endings of a column are looked up, not parsed."""
    tail = pl.col("tail")
    zone = pl.when(tail.str.ends_with("Z")).then(pl.lit("Z")).otherwise(tail.str.tail(6))
    if not frame.select(tail.str.starts_with(".").any()).item():
        zone = tail
    return zone.replace_strict(_OFFSETS, default=None, return_dtype=pl.Int16)


def _fraction(frame: pl.DataFrame) -> pl.Expr:
    """Nanoseconds after the whole second, Int64; digits beyond the ninth are cut."""
    tail = pl.col("tail")
    if not frame.select(tail.str.starts_with(".").any()).item():
        return pl.lit(0, pl.Int64)
    digits = tail.str.extract(r"^\.([0-9]{1,9})", 1).str.pad_end(9, "0")
    return digits.cast(pl.Int64, strict=False).fill_null(0)


def _precision() -> pl.Expr:
    length = pl.col("length")
    by_length = length.replace_strict({4: "year", 7: "month", 10: "day"}, default="second", return_dtype=pl.String)
    return pl.when(pl.col("tail").str.starts_with(".")).then(pl.lit("fraction")).otherwise(by_length)
