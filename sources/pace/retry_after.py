"""The header ``Retry-After`` (RFC 9110 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")  # fractions are not in the standard, but are sent


def retry_after_seconds(value: str | None, now: datetime, longest: float, shortest: float = 0.0) -> float | None:
    """Seconds to wait from ``now`` (with its zone), at least ``shortest`` and at most ``longest``.

    None for a header that is not there or says nothing that can be understood. A date that has passed is
    ``shortest``.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(max(float(text), shortest), longest)
    try:
        at = parsedate_to_datetime(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        seconds = (at - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, shortest), longest)
