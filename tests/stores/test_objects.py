"""What a mart knows of objects without their bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from schemas.records import Partition
from stores.objects import ObjectNames
from tests.stores.desk import Desk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Partition("s3://clinic/a.ndjson", size=10, etag='"1"')


def test_only_the_same_content_is_known(desk: Desk) -> None:
    """Of the same source, key, range, size, role and ETag; of a key the last content is kept."""
    names = ObjectNames(desk.connection, "s")
    names.add(ONE, b"first")
    names.add(replace(ONE, start=10, end=20), b"range")
    names.add(replace(ONE, deletes=True), b"deletes")
    names.add(Partition("/a.ndjson", size=10), b"a file")
    names.note(desk.connection, "load", NOW)
    names.note(desk.connection, "again", NOW)
    again = ObjectNames(desk.connection, "s")
    assert again.find(ONE) == names.find(ONE) == b"first"
    assert again.find(replace(ONE, start=10, end=20)) == b"range"
    assert again.find(replace(ONE, deletes=True)) == b"deletes"
    for other in (
        replace(ONE, etag='"2"'),
        replace(ONE, size=11),
        replace(ONE, uri="s3://clinic/b"),
        replace(ONE, etag=None),
    ):
        assert again.find(other) is None
    assert ObjectNames(desk.connection, "other").find(ONE) is None

    again.add(replace(ONE, etag='"2"'), b"second")
    again.note(desk.connection, "later", NOW)
    last = ObjectNames(desk.connection, "s")
    assert (last.find(ONE), last.find(replace(ONE, etag='"2"'))) == (None, b"second")
    rows = desk.connection.execute("SELECT load_id, count(*) FROM etl.object GROUP BY 1 ORDER BY 1").fetchall()
    assert rows == [("later", 1), ("load", 2)]
