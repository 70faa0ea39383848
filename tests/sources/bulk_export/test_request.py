"""What is asked, by address and options."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import UsageError
from sources.bulk_export import Level, export_request

BASE = "https://h/r4"


@pytest.mark.parametrize(
    ("url", "more", "endpoint"),
    [
        (BASE, {}, "/$export"),
        (BASE + "/", {}, "/$export"),
        (BASE + "/$export", {}, "/$export"),
        (BASE + "/%24export", {}, "/$export"),
        (BASE + "/Patient", {}, "/Patient/$export"),
        (BASE + "/Patient/$export", {}, "/Patient/$export"),
        (BASE + "/Patient/$export", {"level": Level.PATIENT}, "/Patient/$export"),
        (BASE + "/Group/g-1.x", {}, "/Group/g-1.x/$export"),
        (BASE + "/Group/g/$export", {"group": "g"}, "/Group/g/$export"),
        (BASE, {"level": Level.PATIENT}, "/Patient/$export"),
        (BASE, {"level": Level.GROUP, "group": "g"}, "/Group/g/$export"),
        (BASE, {"group": "g"}, "/Group/g/$export"),
    ],
)
def test_levels(url: str, more: dict[str, Any], endpoint: str) -> None:
    """By the address, or by the options."""
    request = export_request(url, **more)
    assert (request.base, request.endpoint) == (BASE, BASE + endpoint)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        (BASE, {"level": Level.GROUP}),
        (BASE, {"level": Level.PATIENT, "group": "g"}),
        (BASE + "/Patient", {"level": Level.SYSTEM}),
        (BASE + "/Group/g", {"group": "h"}),
        (BASE, {"group": "a/b"}),
        (BASE, {"group": ""}),
        (BASE + "#x", {}),
        (BASE, {"types": ["Patient;x"]}),
        (BASE + "?_since=2026-01-01", {}),
        (BASE + "?_since=2026-01-01T00:00:00Z", {"since": datetime(2026, 1, 1, tzinfo=UTC)}),
    ],
)
def test_what_cannot_be_asked(url: str, more: dict[str, Any]) -> None:
    """A clear error, before any request."""
    with pytest.raises(UsageError):
        export_request(url, **more)


def test_scopes() -> None:
    """Equal for what goes on from one another: whatever the time, the order of types, and where they were said."""
    since = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    one = export_request(BASE, types=["Patient", "Basic"], type_filters=["a?x", "b?y"], since=since)
    two = export_request(
        BASE + "/$export?_type=Basic,Patient&_since=2020-01-01T00:00:00+02:00", type_filters=["b?y", "a?x"]
    )
    assert one.scope == two.scope
    assert "_since" not in one.scope
    assert "_since=2026-01-01T00%3A00%3A00.000001Z" in one.url
    assert two.since == datetime(2019, 12, 31, 22, tzinfo=UTC)
    others = [
        export_request(BASE, types=["Patient"]),
        export_request(BASE, types=["Patient", "Basic"], level=Level.PATIENT, type_filters=["a?x", "b?y"]),
        export_request(BASE, types=["Patient", "Basic"], type_filters=["a?x"]),
        export_request(BASE + "?patient=1", types=["Patient", "Basic"], type_filters=["a?x", "b?y"]),
    ]
    assert len({one.scope, *(other.scope for other in others)}) == 5
