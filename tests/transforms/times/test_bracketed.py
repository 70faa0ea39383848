"""Times as transforms write them for extracts: offsets, zones in brackets, and no time of day that was not sent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from transforms.times import bracketed_times, hl7v2_times

AT = datetime(2024, 5, 1, 8, 30, tzinfo=UTC)
TWICE = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at", "day", "precision", "offset"),
    [
        ("2024", None, date(2024, 1, 1), "year", None),
        ("2024-05", None, date(2024, 5, 1), "month", None),
        ("2024-05-02", None, date(2024, 5, 2), "day", None),
        ("2024-05-01T10:30[Europe/Berlin]", AT, date(2024, 5, 1), "minute", 120),
        ("2024-05-01T10:30:00+02:00", AT, date(2024, 5, 1), "second", 120),
        ("2024-05-01T08:30:00.000Z", AT, date(2024, 5, 1), "fraction", 0),
        ("2024-05-01T03:30-05:00", AT, date(2024, 5, 1), "minute", -300),
        ("2024-05-01T10:30", None, date(2024, 5, 1), "minute", None),
        ("2024-05-01T10[Europe/Berlin]", datetime(2024, 5, 1, 8, tzinfo=UTC), date(2024, 5, 1), "hour", 120),
        ("2024-03-31T02:30[Europe/Berlin]", None, date(2024, 3, 31), "minute", None),  # a gap
        ("2024-10-27T02:30[Europe/Berlin]", TWICE, date(2024, 10, 27), "minute", 120),  # the earlier
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC), date(2016, 12, 31), "second", 0),
    ],
)  # fmt: skip
def test_a_time(text: str, at: datetime | None, day: date, precision: str, offset: int | None) -> None:
    """Its instant, date, precision and offset, alone and among others."""
    many = ["2024-05-01T10:30:00.5Z", None, text, "2023", "2024-07-01T00:00[America/New_York]"]
    for texts, row in (([text], 0), (many, 2)):
        times = bracketed_times(pl.Series(texts, dtype=pl.String))
        found = times.row(row, named=True)
        told = (found["at"], found["date"], found["precision"], found["offset"], found["invalid"])
        assert told == (at, day, precision, offset, False)


@pytest.mark.parametrize("text", ["2024-02-30", "24-01-01", "2024-01-01T24:00Z", "2024-01-01 10:00", "0000-01-01", "x"])
def test_no_time(text: str) -> None:
    """It is flagged, not mended."""
    found = bracketed_times(pl.Series(["2024", text])).row(1, named=True)
    assert (found["invalid"], found["at"], found["date"]) == (True, None, None)


def test_dates_have_no_clock() -> None:
    """Where the standard has a date only, a time of day is a fault."""
    times = bracketed_times(pl.Series(["2024-01-01", "2024-01-01T10:00Z", "2024"]), "date")
    assert times["invalid"].to_list() == [False, True, False]


def test_as_hl7v2_reads_local_times() -> None:
    """A whole year of hours in a zone, gaps and folds among them, against the reader of HL7 v2."""
    hours = pl.datetime_range(datetime(2024, 1, 1), datetime(2025, 1, 1), "1h", eager=True)
    ours = bracketed_times(hours.dt.strftime("%Y-%m-%dT%H:%M:%S[America/New_York]"))
    theirs = hl7v2_times(hours.dt.strftime("%Y%m%d%H%M%S"), "America/New_York")
    for name in ("at", "date", "offset", "flags", "invalid"):
        assert ours[name].equals(theirs[name]), name
