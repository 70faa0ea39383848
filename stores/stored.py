"""The columns that a mart really has: those that ever had data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import duckdb

from schemas.table import IDENTITY, TIMELESS, Column, Table
from stores.ddl import HISTORY_COLUMNS, Contract, Stored, contract, create_table
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted
from stores.views import views_of

_UNSEEN = (Column(TIMELESS, "BOOLEAN", "Whether the version came without a time of its own."),)  # no view shows it


def stored_columns(
    connection: duckdb.DuckDBPyConnection, schemas: Collection[str] = (STORED, STORED_HISTORY, STORED_PATCH)
) -> Stored:
    """The columns of the tables of resources, current, earlier and patched, or of other schemas."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    rows = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name IN (SELECT unnest(?))",
        [sorted(schemas)],
    ).fetchall()
    for schema, table, column, dtype in rows:
        found[schema, table][column] = dtype
    return dict(found)


def make_room(
    connection: duckdb.DuckDBPyConnection, shown: Contract, stored: Stored, coming: Collection[str]
) -> set[str]:
    """Let the table of current rows hold the columns ``coming``; all that it has then. Inside a transaction."""
    there = stored.get((STORED, shown.name), {}).keys()
    wanted = {*there, *coming, *(c.name for c in IDENTITY)}
    columns = [c for c in (*shown.columns, *_UNSEEN) if c.name in wanted]
    if _grow(connection, STORED, shown.name, there, columns):
        for statement in shown.views(wanted, there):
            connection.execute(statement)
    return wanted


def make_history(
    connection: duckdb.DuckDBPyConnection, shown: Contract, stored: Stored, columns: Collection[str]
) -> None:
    """Let the table of earlier versions hold the ``columns`` of the current rows. Inside a transaction."""
    there = stored.get((STORED_HISTORY, shown.name), {}).keys()
    wanted = [c for c in (*shown.columns, *_UNSEEN) if c.name in columns]
    if _grow(connection, STORED_HISTORY, shown.name, there, (*wanted, *HISTORY_COLUMNS)):
        connection.execute(shown.history_view(columns))


def _grow(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, there: Collection[str], wanted: Iterable[Column]
) -> bool:
    """Make a table, or add columns to it; false when it has them all."""
    new = [c for c in wanted if c.name not in there]
    if not there:
        connection.execute(create_table(schema, name, new))
        return True
    for column in new:
        connection.execute(f"ALTER TABLE {schema}.{quoted(name)} ADD COLUMN {quoted(column.name)} {column.dtype}")
    return bool(new)


def obstacle(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> str | None:
    """A name of these models that the mart uses for something else, in words; None when there is none."""
    ours = {name.lower() for table in tables for name in contract(table).names()}
    for view in views_of(connection):
        if view.name.lower() in ours:
            return f"has a view {view.name!r}, which is a table of this clinmart"
    return None
