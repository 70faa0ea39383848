"""Instants as options."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.errors import UsageError


def instant(option: str, text: str | None) -> datetime | None:
    """The instant that an option gives, in UTC; None when it is not given. UsageError for what is no instant."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise UsageError(f"{option} {text!r} is no instant: give date, time and offset, e.g. 2026-01-31T00:00:00Z")
    return at.astimezone(UTC)
