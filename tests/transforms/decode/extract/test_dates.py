"""Dates in declared layouts: read as declared, refused where they do not fit, and never by a guess."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.mapping.layouts import parse_layout
from transforms.decode.extract.dates import Dates, read_dates


def read(*texts: str | None, formats: tuple[str, ...] = (), years: int | None = None, zone: str | None = None) -> Dates:
    return read_dates(pl.Series(texts, dtype=pl.String), formats, years, zone)


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("%m/%d/%Y", "3/1/2024", "2024-03-01"),
        ("%m/%d/%Y", "13/01/2024", None),
        ("%d.%m.%Y %H:%M", "29.02.2024 7:05", "2024-02-29T07:05"),
        ("%d.%m.%Y", "29.02.2023", None),
        ("%Y%m%d%H%M%S", "20240301083000", "2024-03-01T08:30:00"),
        ("%Y%m%d", "2024311", None),
        ("%d-%b-%Y", "05-mar-2024", "2024-03-05"),
        ("%B %d, %Y", "March 5, 2024", "2024-03-05"),
        ("%a %d %b %Y", "Tue 05 Mar 2024", "2024-03-05"),
        ("%m/%d/%Y %I:%M %p", "03/01/2024 12:00 AM", "2024-03-01T00:00"),
        ("%m/%d/%Y %I:%M %p", "03/01/2024 12:00 p.m.", "2024-03-01T12:00"),
        ("%m/%d/%Y %I:%M %p", "03/01/2024 00:00 AM", None),
        ("%m/%d/%Y %I:%M %p", "03/01/2024 13:00 PM", None),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-03-01 08:30:00.1230000", "2024-03-01T08:30:00.1230000"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-03-01T08:30:00-0500", "2024-03-01T08:30:00-05:00"),
        ("%Y-%m-%d %H:%M", "2024-03-01 24:00", None),
        ("%Y-%m-%d 00:00:00", "2024-03-01 00:00:00", "2024-03-01"),
        ("%Y-%m-%d 00:00:00", "2024-03-01 10:00:00", None),
        ("%Y", "2024", "2024"),
        ("%m/%Y", "3/2024", "2024-03"),
        ("%Y", "0000", None),
        ("100%% %Y", "100% 2024", "2024"),
    ],
)
def test_a_layout(layout: str, text: str, expected: str | None) -> None:
    """A text that fits, or is none."""
    found = read(text, None, formats=(layout,))
    assert found.text.to_list() == [expected, None]
    assert found.unfit.to_list() == [expected is None, False]


def test_iso_where_nothing_is_declared() -> None:
    """As far as the text goes, with `T` or a blank, with an offset or in the zone."""
    found = read("2024-03-01 08:30", "2024-03-01T08:30:00.5Z", "2024-03", "03/01/2024", "20240301", zone="Europe/Paris")
    assert found.text.to_list() == ["2024-03-01T08:30[Europe/Paris]", "2024-03-01T08:30:00.5Z", "2024-03", None, None]


def test_two_digits_mean_years_from_one_that_is_told() -> None:
    """The hundred years that begin with it."""
    found = read("01-JAN-29", "01-JAN-30", "31-DEC-99", "01-JAN-00", formats=("%d-%b-%y",), years=1930)
    assert found.text.to_list() == ["2029-01-01", "1930-01-01", "1999-12-31", "2000-01-01"]


def test_mixed_layouts() -> None:
    """Several may be declared; what is another day by each of two is refused, what is the same is not."""
    both = ("%d/%m/%Y", "%m/%d/%Y")
    found = read("25/12/2024", "12/25/2024", "03/04/2024", "05/05/2024", "x", formats=both)
    assert found.text.to_list() == ["2024-12-25", "2024-12-25", None, "2024-05-05", None]
    assert found.ambiguous.to_list() == [False, False, True, False, False]
    assert found.unfit.to_list() == [False, False, False, False, True]
    clock = read("03/04/2024", "03/04/2024 10:00", formats=("%m/%d/%Y", "%m/%d/%Y %H:%M"))
    assert clock.text.to_list() == ["2024-03-04", "2024-03-04T10:00"]


_LAYOUTS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d%H%M%S", "%d-%b-%Y %H:%M:%S")


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), st.sampled_from(_LAYOUTS))
def test_as_strftime_writes_them(moment: datetime, layout: str) -> None:
    """What Python writes is read as it was meant."""
    text = moment.strftime(layout.replace("%Y", f"{moment.year:04d}"))
    assert read(text, formats=(layout,)).text.to_list() == [moment.replace(microsecond=0).isoformat()]


def test_many_rows_are_read_as_one() -> None:
    """Columns of repeated values take a shorter way to the same."""
    texts = ["3/1/2024", "x", None, "12/31/1999"] * 300
    found = read(*texts, formats=("%m/%d/%Y",))
    assert found.text.to_list() == ["2024-03-01", None, None, "1999-12-31"] * 300
    assert found.unfit.to_list() == [False, True, False, False] * 300


@pytest.mark.parametrize(
    "layout", ["%d/%m", "%H:%M", "%Y %H", "%Y-%m-%d %I:%M", "%Y-%m-%d %M", "%Y %Y", "%Y-%j", "%Q", "", "%Y%y", "%Y-%d"]
)
def test_layouts_that_leave_something_to_be_made_up(layout: str) -> None:
    """Or that nobody knows: the mapping is refused, not the rows."""
    with pytest.raises(UsageError, match="format"):
        parse_layout(layout)
