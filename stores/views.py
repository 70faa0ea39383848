"""The views of a mart: ViewDefinitions that users added, each with a table in ``main`` that loads fill."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from schemas.errors import UsageError
from schemas.records import VIEW_CHECK
from schemas.staged import StagedUnit
from schemas.table import Column
from schemas.view_table import VIEW_IDENTITY, ViewTable
from stores.ddl import RESOURCE_TABLE, create_table
from stores.sql import files, quoted, text

_CHOSEN = '"~chosen"'  # a temporary table; no view can be called that
STAGE_LINE = "~line"  # staged rows of one resource have the same


@dataclass(frozen=True, slots=True)
class Dropped:
    """A view that was taken off, how many rows it had, and how many lines of the quarantine only it had refused."""

    view: ViewTable
    rows: int
    refused: int


def views_of(connection: duckdb.DuckDBPyConnection) -> list[ViewTable]:
    """The views of the mart by name."""
    rows = connection.execute("SELECT name, resource_type, definition, added_at FROM etl.view ORDER BY name").fetchall()
    return [ViewTable(*row) for row in rows]


def add_view(
    connection: duckdb.DuckDBPyConnection, name: str, resource_type: str, definition: str, columns: Sequence[Column]
) -> None:
    """Make a view's table and remember its definition. UsageError when a name is taken."""
    for column in columns:
        if column.name.lower() in {c.name for c in VIEW_IDENTITY}:
            raise UsageError(f"every table of a view has a column {column.name!r} of its own: name the other otherwise")
    names = [column.name.lower() for column in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"columns called {twice[0]!r} differ only in case, which SQL does not tell apart: rename one")
    there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND lower(table_name) = ?"
    if connection.execute(there, [name.lower()]).fetchone() != (0,):
        raise UsageError(f"the mart has a table or view called {name!r} already: give the view another name")
    keyword = "SELECT count(*) FROM duckdb_keywords() WHERE keyword_name = lower(?) AND keyword_category = 'reserved'"
    for word in (name, *(c.name for c in columns)):
        if connection.execute(keyword, [word]).fetchone() != (0,):
            raise UsageError(f"{word!r} is a word of SQL and would have to be quoted in every query: give another name")
    connection.execute("BEGIN TRANSACTION")
    try:
        connection.execute(create_table("main", name, (*VIEW_IDENTITY, *columns)))
        row = [name, resource_type, definition, datetime.now(UTC)]
        connection.execute("INSERT INTO etl.view VALUES (?, ?, ?, ?)", row)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def drop_view(connection: duckdb.DuckDBPyConnection, name: str) -> Dropped:
    """Take a view and its table off, in one transaction. UsageError when no view is called that.

    What only the view refused goes with it: the resources stand in the table of their type.
    """
    views = views_of(connection)
    view = next((view for view in views if view.name.lower() == name.lower()), None)
    if view is None:
        raise UsageError(_no_view(connection, name, [view.name for view in views]))
    into = f"main.{quoted(view.name)}"
    connection.execute("BEGIN TRANSACTION")
    try:
        ((rows,),) = connection.execute(f"SELECT count(*) FROM {into}").fetchall()
        connection.execute(f"DROP TABLE {into}")
        connection.execute("DELETE FROM etl.view WHERE name = ?", [view.name])
        check = [f"{VIEW_CHECK}{view.name}"]
        ((refused,),) = connection.execute("SELECT count(*) FROM etl.quarantine WHERE check_name = ?", check).fetchall()
        connection.execute("DELETE FROM etl.quarantine WHERE check_name = ?", check)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return Dropped(view, rows, refused)


def _no_view(connection: duckdb.DuckDBPyConnection, name: str, there: Sequence[str]) -> str:
    table = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND lower(table_name) = ?"
    if connection.execute(table, [name.lower()]).fetchone() != (0,):
        return f"{name!r} is no view that was added, but a table that every mart has: it cannot be dropped"
    near = difflib.get_close_matches(name, there, 1)
    known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(there)}" if there else "there are none"
    return f"the mart has no view called {name!r}: {known}"


def fill_views(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, source: str, load_id: str, tables: dict[str, str]
) -> None:
    """Bring the views' tables to what the current versions of the unit's resources give; inside a transaction, after
    the unit's rows are in. ``tables`` maps resource types to their tables.

    A view's rows are those of the version that ``main`` has now, so their order of arrival does not matter.
    """
    for view in views_of(connection):
        table = tables.get(view.resource_type, RESOURCE_TABLE)
        came = [staged.path for staged in unit.tables if staged.table == table]
        came += [staged.path for staged in unit.deletes if view.resource_type in staged.types]
        if came:
            made = [staged.path for staged in unit.views if staged.table == view.name]
            _fill(connection, view, table, came, made, source, load_id)


def _fill(
    connection: duckdb.DuckDBPyConnection,
    view: ViewTable,
    table: str,
    came: list[str],
    made: list[str],
    source: str,
    load_id: str,
) -> None:
    into, who = f"main.{quoted(view.name)}", text(source)
    current = f"SELECT id, content_hash FROM main.{quoted(table)} WHERE source = {who}"
    if table == RESOURCE_TABLE:
        current += f" AND type = {text(view.resource_type)}"
    connection.execute(
        f"DELETE FROM {into} v WHERE v.source = {who} "
        f"AND v.resource_id IN (SELECT id FROM read_parquet({files(came)}, union_by_name = true)) "
        f"AND (v.resource_id, v.content_hash) NOT IN ({current})"
    )
    if not made:
        return
    staged = f"read_parquet({files(made)}, union_by_name = true)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CHOSEN} AS SELECT min({quoted(STAGE_LINE)}) AS line FROM {staged} s "
        f"SEMI JOIN ({current}) m ON s.resource_id = m.id AND s.content_hash = m.content_hash "
        f"ANTI JOIN (SELECT resource_id, content_hash FROM {into} WHERE source = {who}) v "
        "USING (resource_id, content_hash) GROUP BY resource_id, s.content_hash"
    )
    connection.execute(
        f"INSERT INTO {into} BY NAME SELECT {who} AS source, {text(load_id)} AS load_id, s.* EXCLUDE "
        f"({quoted(STAGE_LINE)}) FROM {staged} s SEMI JOIN {_CHOSEN} c ON s.{quoted(STAGE_LINE)} = c.line"
    )
