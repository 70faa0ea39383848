"""FHIR `date`, `dateTime` and `instant` as columns, against hand-made cases and ``datetime.fromisoformat``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.notes import Note
from transforms.times import FIELDS, fhir_times, raised

NOTHING = dict.fromkeys(FIELDS) | {"invalid": False, "flags": 0}
WRONG = NOTHING | {"invalid": True}


def one(text: str | None, kind: str = "dateTime") -> dict[str, Any]:
    """The columns of a single text."""
    return fhir_times(pl.Series([text], dtype=pl.String), kind).row(0, named=True)


@pytest.mark.parametrize(
    ("text", "day", "precision"),
    [
        ("2023", date(2023, 1, 1), "year"),
        ("2023-04", date(2023, 4, 1), "month"),
        ("2024-02-29", date(2024, 2, 29), "day"),
        ("0001", date(1, 1, 1), "year"),
        ("9999-12-31", date(9999, 12, 31), "day"),
    ],
)
@pytest.mark.parametrize("kind", ["date", "dateTime"])
def test_dates_have_no_instant(kind: str, text: str, day: date, precision: str) -> None:
    """A partial date is its first day, and no time of day is invented."""
    assert one(text, kind) == NOTHING | {"date": day, "precision": precision}


@pytest.mark.parametrize(
    ("text", "at", "offset"),
    [
        ("2023-04-17T08:05:00Z", datetime(2023, 4, 17, 8, 5), 0),
        ("2023-04-17T08:05:00-00:00", datetime(2023, 4, 17, 8, 5), 0),
        ("2023-04-17T22:05:00-07:00", datetime(2023, 4, 18, 5, 5), -420),
        ("2023-04-17T01:05:00+13:45", datetime(2023, 4, 16, 11, 20), 825),
        ("2024-03-01T00:15:00+00:30", datetime(2024, 2, 29, 23, 45), 30),
        ("2024-03-01T00:15:00-00:30", datetime(2024, 3, 1, 0, 45), -30),
        ("2023-04-17T08:05:00+14:00", datetime(2023, 4, 16, 18, 5), 840),
    ],
)
@pytest.mark.parametrize("kind", ["dateTime", "instant"])
def test_offsets(kind: str, text: str, at: datetime, offset: int) -> None:
    """The instant is in UTC, the date is the one written, the offset is kept."""
    expected = {"at": at.replace(tzinfo=UTC), "date": date.fromisoformat(text[:10]), "offset": offset}
    flags = [Note.NEGATIVE_ZERO_OFFSET] if text.endswith("-00:00") else []
    row = one(text, kind)
    assert [note for note, _ in raised(pl.Series([row.pop("flags")], dtype=pl.UInt8))] == flags
    assert row == expected | {"precision": "second", "invalid": False, "nanos": 0, "fraction_digits": None}


@pytest.mark.parametrize(
    ("fraction", "micros", "nanos"),
    [
        ("5", 500_000, 0),
        ("120", 120_000, 0),
        ("000001", 1, 0),
        ("999999", 999_999, 0),
        ("9999999", 999_999, 900),
        ("123456789", 123_456, 789),
        ("9999999999999", 999_999, 999),
        ("000000000999", 0, 0),
    ],
)
def test_fractions_are_cut(fraction: str, micros: int, nanos: int) -> None:
    """Never rounded: a second more than 999999 microseconds would be another second."""
    row = one(f"2023-12-31T23:59:59.{fraction}+01:00")
    assert row["at"] == datetime(2023, 12, 31, 22, 59, 59, micros, tzinfo=UTC)
    assert (row["nanos"], row["precision"], row["date"]) == (nanos, "fraction", date(2023, 12, 31))
    assert (row["fraction_digits"], row["flags"]) == (len(fraction), 0)


def test_a_fraction_before_1970_is_cut_too() -> None:
    """Negative epochs do not turn the direction."""
    row = one("1953-01-01T00:00:00.123456789Z")
    assert (row["at"], row["nanos"]) == (datetime(1953, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC), 789)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1998-12-31T23:59:60Z", datetime(1999, 1, 1)),
        ("2012-06-30T18:59:60-05:00", datetime(2012, 7, 1)),
        ("2016-12-31T23:59:60.5Z", datetime(2017, 1, 1, 0, 0, 0, 500_000)),
    ],
)
def test_a_leap_second_is_the_next_minute(text: str, at: datetime) -> None:
    """Its date stays the one written, alone and beside others."""
    day = date.fromisoformat(text[:10])
    row = one(text)
    assert (row["at"], row["date"], row["invalid"]) == (at.replace(tzinfo=UTC), day, False)
    others = ["2020-05-05", text, "2021-01-01T23:59:59Z", None]
    assert fhir_times(pl.Series(others), "dateTime").rows() == [tuple(one(t).values()) for t in others]


def test_a_leap_second_at_the_end_of_time() -> None:
    """The year 10000 has no instant, and the row is not lost for it."""
    row = one("9999-12-31T23:59:60Z")
    assert (row["at"], row["date"], row["invalid"]) == (None, date(9999, 12, 31), False)


@pytest.mark.parametrize(
    ("text", "day"), [("0001-01-01T00:00:00+01:00", date(1, 1, 1)), ("9999-12-31T20:00:00-05:00", date(9999, 12, 31))]
)
def test_instants_outside_utc(text: str, day: date) -> None:
    """Valid as written, but UTC has no such year: no instant, the rest stays."""
    row = one(text)
    assert (row["at"], row["date"], row["precision"], row["invalid"]) == (None, day, "second", False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0000",
        "0000-01-01",
        "0000-01-01T00:00:00Z",
        "2023-13",
        "2023-00",
        "2023-02-29",
        "2023-04-31",
        "1900-02-29",
        "2023-04-31T08:05:00Z",
        "2023-04-17T24:00:00Z",
        "2023-04-17T08:60:00Z",
        "2023-04-17T08:05:61Z",
        "2023-04-17T08:05Z",
        "2023-04-17T08:05:00",
        "2023-04-17T08:05:00.Z",
        "2023-04-17T08:05:00+0200",
        "2023-04-17T08:05:00+02",
        "2023-04-17T08:05:00+14:01",
        "2023-04-17T08:05:00+02:60",
        "2023-04-17T08:05:00z",
        "2023-04-17 08:05:00Z",
        "2023-04-17T08:05:00Z\n",
        "2023-04-17\n",
        "２０２３",  # full-width digits
        "23-04-17",
        "02023",
        "+2023",
    ],
)
@pytest.mark.parametrize("kind", ["date", "dateTime", "instant"])
def test_what_is_no_time(kind: str, text: str) -> None:
    """Text that is no time gives nulls and the flag, whatever stands beside it."""
    assert one(text, kind) == WRONG
    beside = fhir_times(pl.Series(["2020-01-01T00:00:00Z", text, None]), kind)
    assert beside.row(1, named=True) == WRONG
    assert beside.row(2, named=True) == NOTHING


def test_each_type_has_its_own_forms() -> None:
    """A `date` has no time of day, an `instant` always has one."""
    assert one("2023-04-17T08:05:00Z", "date") == WRONG
    assert one("2023-04-17", "instant") == WRONG
    assert one("2023", "instant") == WRONG


def test_nothing_but_nulls() -> None:
    """A column of nulls, and an empty one, have the columns all the same."""
    empty = fhir_times(pl.Series([], dtype=pl.String), "instant")
    nulls = fhir_times(pl.Series([None, None], dtype=pl.String), "instant")
    full = fhir_times(pl.Series(["2023-04-17T08:05:00.123Z"]), "instant")
    assert nulls.schema == full.schema == empty.schema
    assert tuple(full.columns) == FIELDS
    assert nulls.to_dicts() == [NOTHING, NOTHING]
    assert empty.height == 0


OFFSETS = st.integers(-14 * 60, 14 * 60)
MOMENTS = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)).map(
    lambda moment: moment.replace(microsecond=0)
)


def written(moment: datetime, fraction: str, offset: int) -> str:
    """An instant as FHIR writes it."""
    sign = "-" if offset < 0 else "+"
    zone = f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    return moment.isoformat() + (f".{fraction}" if fraction else "") + zone


INSTANTS = st.builds(written, MOMENTS, st.text("0123456789", max_size=12), OFFSETS)
OTHERS = st.sampled_from(["2023", "2023-04", "2023-04-17", "2023-02-30", "x", "", "2016-12-31T23:59:60Z", None])


@settings(deadline=None, max_examples=200)
@given(st.lists(INSTANTS, min_size=1, max_size=20))
def test_random_instants_are_those_of_python(texts: list[str]) -> None:
    """Date, instant and offset as ``datetime.fromisoformat`` (which cuts to microseconds) says."""
    for text, row in zip(texts, fhir_times(pl.Series(texts), "instant").to_dicts(), strict=True):
        moment = datetime.fromisoformat(text)
        offset = moment.utcoffset()
        assert offset is not None
        assert row["at"] == moment.astimezone(UTC)
        assert row["date"] == moment.date()
        assert row["offset"] == offset // timedelta(minutes=1)
        assert row["precision"] == ("fraction" if "." in text else "second")
        digits = text[20:-6].ljust(9, "0")[:9] if "." in text else "0"
        assert row["nanos"] == int(digits) % 1000
        assert row["invalid"] is False


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(INSTANTS | OTHERS, st.integers(1, 6)), min_size=1, max_size=8))
def test_runs_give_what_singles_give(runs: list[tuple[str | None, int]]) -> None:
    """Equal neighbours, mixed forms and nulls change nothing about a row."""
    texts = [text for text, times in runs for _ in range(times)]
    together = fhir_times(pl.Series(texts, dtype=pl.String), "dateTime")
    assert together.to_dicts() == [one(text) for text in texts]


@settings(deadline=None, max_examples=200)
@given(st.text("0123456789-:TZ+. ", max_size=26))
def test_random_text_never_raises(text: str) -> None:
    """Whatever is no time is flagged; whatever is accepted is a time to Python too."""
    row = one(text)
    if row["invalid"]:
        assert row == WRONG
    elif row["precision"] == "second":
        assert datetime.fromisoformat(text.replace(":60", ":59")).date() == row["date"]
