"""What a mart holds, for people and for ``--json``."""

from __future__ import annotations

from typing import Any

import duckdb

from stores.consumed import consumers
from stores.quarantine import by_reason, records
from stores.sql import STORED, STORED_HISTORY, quoted

_LOADS = 10


def overview(connection: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """Tables with rows and history, sources with their newest data, the last loads, what listeners took in, and the
    quarantine by reason.
    """
    tables = []
    history = _rows(connection, STORED_HISTORY)
    for name, rows in table_rows(connection):
        earlier = history.get(name, 0)
        if rows or earlier:
            tables.append({"table": name, "rows": rows, "earlier_versions": earlier})
    deleted = records(
        connection.execute(
            "SELECT source, resource_type, count(*) AS deleted FROM etl.tombstone WHERE superseded_by IS NULL "
            "GROUP BY ALL ORDER BY ALL"
        )
    )
    sources = records(
        connection.execute(
            "SELECT source, resource_type, event_watermark AS newest, read_cursor, "
            "settled_watermark - to_seconds(lateness_seconds) AS late_before, lateness_seconds AS lateness "
            "FROM etl.watermark ORDER BY ALL"
        )
    )
    loads = records(
        connection.execute(
            "SELECT load_id, source, status, started_at, finished_at, bytes, round(seconds, 1) AS seconds, "
            "list_sum(list_transform(resources, lambda r: r.read))::BIGINT AS read, "
            "list_sum(list_transform(resources, lambda r: r.applied))::BIGINT AS applied, "
            "list_sum(list_transform(resources, lambda r: r.quarantined))::BIGINT AS quarantined "
            f"FROM etl.load ORDER BY started_at DESC LIMIT {_LOADS}"
        )
    )
    listeners = records(
        connection.execute(
            "SELECT source, count(*) AS messages, count(*) FILTER (coalesce(number > settled, true)) AS without_rows, "
            "count(reason) AS refused, max(received_at) AS last_received_at FROM etl.message "
            "LEFT JOIN (SELECT source, settled FROM etl.listener) USING (source) GROUP BY 1 ORDER BY 1"
        )
    )
    erasures = records(
        connection.execute(
            "SELECT erasure_id, status, people, asked_at, finished_at FROM etl.erasure ORDER BY asked_at DESC"
        )
    )
    return {
        "erasures": erasures,
        "tables": tables,
        "listeners": listeners,
        "consumers": consumers(connection),
        "deleted": deleted,
        "sources": sources,
        "loads": loads,
        "quarantine": by_reason(connection),
    }


def table_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """What `main` holds, by name, with its rows: types that have had any, and the tables of the user's views."""
    return sorted((_rows(connection, STORED) | _rows(connection, "main")).items())


def _rows(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? "
        "AND NOT internal",
        [schema],
    ).fetchall()
    return {name: _count(connection, f"{schema}.{quoted(name)}") for (name,) in names}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return 0 if row is None else int(row[0])
