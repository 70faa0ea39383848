"""How far each type of each source has come: the read cursor and the event watermark. Neither ever goes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import duckdb

from stores.sql import text


def late_before(connection: duckdb.DuckDBPyConnection, source: str, lateness: timedelta) -> dict[str, datetime]:
    """By type, the time below which rows of a load that begins now are late.

    It is that of the last load that took in all it was given: a load that died, was drained or met a damaged file is
    judged alike when it is run again, whatever of it was committed before.
    """
    rows = connection.execute(
        "SELECT resource_type, settled_watermark FROM etl.watermark WHERE source = ? AND settled_watermark IS NOT NULL",
        [source],
    ).fetchall()
    return {str(kind): settled - lateness for kind, settled in rows}


def move_watermarks(
    connection: duckdb.DuckDBPyConnection, source: str, latest: Mapping[str, datetime], now: datetime
) -> None:
    """Move the event watermark of each type to the ``latest`` time that its rows brought with them."""
    _raise(connection, source, "event_watermark", latest, now)


def settle(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    cursors: Mapping[str, datetime],
    lateness: timedelta,
    now: datetime,
    *,
    whole: bool,
) -> None:
    """At the end of a load: move the read cursors, and when it was ``whole`` let the next one judge by what it saw."""
    _raise(connection, source, "read_cursor", cursors, now)
    if whole:
        connection.execute(
            "UPDATE etl.watermark SET settled_watermark = event_watermark, lateness_seconds = ? WHERE source = ?",
            [lateness.total_seconds(), source],
        )


def _raise(
    connection: duckdb.DuckDBPyConnection, source: str, column: str, to: Mapping[str, datetime], now: datetime
) -> None:
    if not to:
        return
    rows = ", ".join(f"({text(kind)}, {text(at.isoformat())}::TIMESTAMPTZ)" for kind, at in sorted(to.items()))
    connection.execute(
        f"""MERGE INTO etl.watermark w USING (SELECT ? AS source, * FROM (VALUES {rows}) v(resource_type, seen)) s
        ON w.source = s.source AND w.resource_type = s.resource_type
        WHEN MATCHED THEN UPDATE SET {column} = greatest(w.{column}, s.seen), updated_at = ?
        WHEN NOT MATCHED THEN INSERT (source, resource_type, {column}, updated_at)
            VALUES (s.source, s.resource_type, s.seen, ?)""",
        [source, now, now],
    )
