"""How far each export of each source was read: what the next one has to ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from schemas.records import ReadExport


def export_cursor(connection: duckdb.DuckDBPyConnection, source: str, scope: str) -> datetime | None:
    """The time up to which everything of ``scope`` is in the mart; None when nothing is known of it."""
    there = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'etl' "
        "AND table_name = 'export'"
    ).fetchone()
    if there is None:  # a mart of an older version, which no load has brought to this one yet
        return None
    row = connection.execute(
        "SELECT read_cursor FROM etl.export WHERE source = ? AND scope = ?", [source, scope]
    ).fetchone()
    return None if row is None or row[0] is None else row[0].astimezone(UTC)


def move_export(
    connection: duckdb.DuckDBPyConnection, source: str, export: ReadExport, load_id: str, now: datetime
) -> None:
    """Move the cursor to the time of an export that was read to its end; never back.

    One that asked only for what changed since a time after the cursor leaves a gap, and moves nothing.
    """
    before = export_cursor(connection, source, export.scope)
    if export.since is not None and (before is None or export.since > before):
        return
    if before is not None and export.until <= before:
        return
    connection.execute("DELETE FROM etl.export WHERE source = ? AND scope = ?", [source, export.scope])
    connection.execute(
        "INSERT INTO etl.export (source, scope, read_cursor, load_id, updated_at) VALUES (?, ?, ?, ?, ?)",
        [source, export.scope, export.until, load_id, now],
    )
