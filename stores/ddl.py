"""The tables and views of a mart, rendered from the models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from schemas.bookkeeping import BOOKKEEPING, RESOURCE_COLUMNS
from schemas.table import IDENTITY, Column, Table
from stores.sql import quoted

MART_VERSION = 3
HISTORY_COLUMNS = (Column("superseded_by", "VARCHAR", "The load whose rows pushed this version into history."),)
RESOURCE_TABLE = "resource"


def create_table(schema: str, name: str, columns: Iterable[Column]) -> str:
    """A CREATE TABLE without keys or constraints: the commit keeps identities unique (and DuckLake takes none)."""
    rendered = ", ".join(f"{quoted(c.name)} {c.dtype}" for c in columns)
    return f"CREATE TABLE IF NOT EXISTS {schema}.{quoted(name)} ({rendered})"


def resource_columns() -> tuple[Column, ...]:
    """Columns of ``resource``: identity, type and the JSON whole."""
    return (*IDENTITY, *RESOURCE_COLUMNS)


def statements(tables: Sequence[Table]) -> Iterator[str]:
    """Everything that an empty database needs to be a mart."""
    yield "CREATE SCHEMA IF NOT EXISTS etl"
    yield "CREATE SCHEMA IF NOT EXISTS history"
    for name, columns in BOOKKEEPING.items():
        yield create_table("etl", name, columns)
    yield create_table("main", RESOURCE_TABLE, resource_columns())
    yield create_table("history", RESOURCE_TABLE, (*resource_columns(), *HISTORY_COLUMNS))
    for table in tables:
        columns = tuple(table.columns())
        yield create_table("main", table.name, columns)
        yield create_table("history", table.name, (*columns, *HISTORY_COLUMNS))
        yield from child_views(table)


def child_views(table: Table, schema: str = "main") -> Iterator[str]:
    """One view per repeated part that people join on: a row per item, keyed (source, id, ordinal)."""
    for element in table.child_tables():
        column = quoted(element.columns[0].name)
        shared = ", ".join(f"p.{quoted(c.name)}" for c in IDENTITY)
        yield (
            f"CREATE OR REPLACE VIEW {schema}.{quoted(element.child_table or '')} AS SELECT {shared}, "
            f"generate_subscripts(p.{column}, 1) AS ordinal, unnest(p.{column}, max_depth := 2) "
            f"FROM {schema}.{quoted(table.name)} p WHERE len(p.{column}) > 0"
        )
