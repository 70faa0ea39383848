"""POSIX rules of zones (RFC 8536 3.3.1) as transitions of a year."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.zones.rule import parse_rule


def turns(rule: str, year: int) -> list[tuple[datetime, int]]:
    """The transitions of a year, in UTC, with the minutes from UTC after them."""
    found = parse_rule(rule).transitions(range(year, year + 1))
    return [(datetime.fromtimestamp(moment, UTC).replace(tzinfo=None), east // 60) for moment, east in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", [(datetime(2023, 3, 26, 1), 120), (datetime(2023, 10, 29, 1), 60)]),
        ("EST5EDT,M3.2.0,M11.1.0", [(datetime(2023, 3, 12, 7), -240), (datetime(2023, 11, 5, 6), -300)]),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", [(datetime(2023, 3, 26, 1), 60), (datetime(2023, 10, 29, 1), 0)]),
        (
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            [(datetime(2023, 4, 1, 15), 630), (datetime(2023, 9, 30, 15, 30), 660)],
        ),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", [(datetime(2023, 3, 26, 1), -60), (datetime(2023, 10, 29, 1), -120)]),
        ("AAA0BBB,J60/0,59/0", [(datetime(2023, 2, 28, 23), 0), (datetime(2023, 3, 1), 60)]),
        ("<+07>-7", []),
    ],
)
def test_transitions(rule: str, expected: list[tuple[datetime, int]]) -> None:
    """Weeks of months, days of years, own times, summer time by default an hour, and none."""
    assert turns(rule, 2023) == expected


def test_days_of_leap_years() -> None:
    """``J60`` is the first of March in every year, ``59`` the sixtieth day."""
    assert [moment for moment, _ in turns("AAA0BBB,J60/0,59/1", 2024)] == [datetime(2024, 2, 29), datetime(2024, 3, 1)]


@pytest.mark.parametrize("rule", ["", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,X3,M10.5.0", "CET-1 "])
def test_what_is_no_rule(rule: str) -> None:
    """It is refused, not read as some other."""
    with pytest.raises(ValueError, match="no POSIX rule"):
        parse_rule(rule)
