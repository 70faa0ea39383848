"""`Retry-After`: seconds, dates, and what is neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sources.pace import retry_after_seconds

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("86400", 300.0),
        ("999999999999999999", 300.0),
        ("9" * 400, 300.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("Sat, 31 Jan 2026 12:00:10 GMT", 10.0),
        ("Sat, 31 Jan 2026 13:00:10 +0100", 10.0),
        ("Saturday, 31-Jan-26 12:00:10 GMT", 10.0),
        ("Sat Jan 31 12:00:10 2026", 10.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Sat, 99 Jan 2026 12:00:10 GMT", None),
        ("Sat, 99 Foo 2026 12:00:10 GMT", None),
    ],
)
def test_seconds_dates_and_rubbish(header: str | None, seconds: float | None) -> None:
    """Clamped to what is sensible; None where it says nothing."""
    assert retry_after_seconds(header, NOW, 300.0) == seconds


def test_not_shorter_than_asked() -> None:
    """A server that says 0 is not asked in a tight loop."""
    assert retry_after_seconds("0", NOW, 300.0, shortest=0.5) == 0.5
