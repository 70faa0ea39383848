"""Local times in zones: gaps, folds, zones by row, and zones that there are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from schemas.errors import UsageError
from tests.transforms.times.reference import columns
from transforms.times import FIELDS, hl7v2_times, local_times

FUNCTIONS = pytest.mark.parametrize("function", [hl7v2_times, local_times])


def one(text: str, zone: str | None) -> tuple[datetime | None, int | None, set[str]]:
    """Instant, offset and flags of one local time."""
    (made,) = columns("local", [text], zone)
    assert made.date == date.fromisoformat(text[:10])
    at = None if made.at is None else datetime.fromtimestamp(made.at / 1e6, UTC).replace(tzinfo=None)
    return at, made.offset, made.flags - {"offset_from_zone"}


@pytest.mark.parametrize(
    ("text", "zone", "at", "offset", "flags"),
    [
        ("2023-03-26 01:59:59", "Europe/Berlin", datetime(2023, 3, 26, 0, 59, 59), 60, set()),
        ("2023-03-26 02:00", "Europe/Berlin", None, None, {"nonexistent_local_time"}),
        ("2023-03-26 03:00", "Europe/Berlin", datetime(2023, 3, 26, 1), 120, set()),
        ("2023-10-29 02:30", "Europe/Berlin", datetime(2023, 10, 29, 0, 30), 120, {"ambiguous_local_time"}),
        ("2023-10-29 03:00", "Europe/Berlin", datetime(2023, 10, 29, 2), 60, set()),
        ("2023-10-01 02:15", "Australia/Lord_Howe", None, None, {"nonexistent_local_time"}),
        ("2023-10-01 02:30", "Australia/Lord_Howe", datetime(2023, 9, 30, 15, 30), 660, set()),
        ("2023-04-02 01:45", "Australia/Lord_Howe", datetime(2023, 4, 1, 14, 45), 660, {"ambiguous_local_time"}),
        ("2011-12-30 12:00", "Pacific/Apia", None, None, {"nonexistent_local_time"}),
        ("2011-12-31 00:00", "Pacific/Apia", datetime(2011, 12, 30, 10), 840, set()),
        ("2150-07-01 12:00", "Europe/Berlin", datetime(2150, 7, 1, 10), 120, set()),
        ("1880-01-01 12:00", "America/New_York", datetime(1880, 1, 1, 16, 56, 2), -296, set()),
        ("2023-06-01 12:00", None, None, None, {"no_offset_no_zone"}),
    ],
)
def test_local_times(text: str, zone: str | None, at: datetime | None, offset: int | None, flags: set[str]) -> None:
    """Hours that never were, hours that were twice, days that were skipped, rules far ahead and local mean time."""
    assert one(text, zone) == (at, offset, flags)


def test_a_leap_second_before_the_clocks_change() -> None:
    """Its offset is that of the second before, though the second after does not exist."""
    assert one("2023-03-26 01:59:60", "Europe/Berlin") == (datetime(2023, 3, 26, 1), 60, {"leap_second"})


@FUNCTIONS
def test_unknown_zones(function: Callable[..., pl.DataFrame]) -> None:
    """Named, with the nearest, also where one row of many has it, and where no row needs it."""
    text = pl.Series(["2023-04-17 08:05", "20230417"])
    for zone in ("Europe/Brlin", pl.Series(["Europe/Berlin", "Europe/Brlin"])):
        with pytest.raises(UsageError, match=r"no time zone 'Europe/Brlin' \(did you mean Europe/Berlin\?\)"):
            function(text, zone)


@FUNCTIONS
@pytest.mark.parametrize("texts", [[], [None, None]])
@pytest.mark.parametrize("by_row", [True, False])
def test_nothing(function: Callable[..., pl.DataFrame], texts: list[Any], by_row: bool) -> None:
    """Columns without rows and without texts have the same shape as others."""
    zone = pl.Series(["UTC"] * len(texts), dtype=pl.String) if by_row else "UTC"
    made = function(pl.Series(texts, dtype=pl.String), zone)
    full = local_times(pl.Series(["2023-04-17 08:05:00.5"]), "UTC")
    assert (made.schema, tuple(made.columns), made.height) == (full.schema, FIELDS, len(texts))
    assert made["flags"].to_list() == [0] * len(texts)
    assert made["invalid"].to_list() == [False] * len(texts)
    assert made["nanos"].null_count() == len(texts)
