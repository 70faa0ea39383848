"""What a database says it is: a mart of some layout, and which one."""

from __future__ import annotations

import duckdb


def mart_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The layout version of a mart; None when the database is none."""
    there = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'etl' AND table_name = 'mart'"
    if connection.execute(there).fetchone() == (0,):
        return None
    row = connection.execute("SELECT max(mart_version) FROM etl.mart").fetchone()
    return None if row is None or row[0] is None else int(row[0])


def mart_id(connection: duckdb.DuckDBPyConnection) -> str:
    """The identity of a mart of the newest layout."""
    rows = connection.execute("SELECT mart_id FROM etl.mart").fetchall()  # to its end: else the connection is in use
    return str(rows[0][0]) if rows else ""
