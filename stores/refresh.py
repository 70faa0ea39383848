"""Stored values made anew from the sources: the same rows and versions, with what today's projection gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from schemas.records import LoadReport
from schemas.staged import StagedUnit
from schemas.table import IDENTITY, Table
from schemas.view_table import ViewTable
from stores.audit.trail import Written
from stores.commits import number_commit
from stores.ddl import HISTORY_COLUMNS, RESOURCE_TABLE, Stored, contract
from stores.sealed_path import read_parquet, write_parquet
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, files, quoted, text
from stores.staged_files import Verified
from stores.step import STAGE_ROW
from stores.stored import make_history, make_room, stored_columns
from stores.views import fill_views

_FRESH, _KEPT = '"~fresh"', '"~kept"'  # temporary tables; no view can be called so
_SAME = "id, content_hash"


@dataclass(frozen=True, slots=True)
class Target:
    """What is refreshed: the table of a type, or a view of the mart, whose resources stand in ``table``, or, without a
    table of their own, in ``resource``.
    """

    resource_type: str
    table: Table | None
    view: ViewTable | None = None

    @property
    def base(self) -> str:
        """The table that holds the type's resources."""
        return RESOURCE_TABLE if self.table is None else self.table.name

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.base if self.view is None else self.view.name


@dataclass(frozen=True, slots=True)
class Held:
    """A partition that the mart has a receipt of."""

    uri: str
    start: int
    size: int
    sha256: str


def sources_of(connection: duckdb.DuckDBPyConnection, target: Target) -> list[str]:
    """The sources that have rows of the target's type."""
    where = f"WHERE type = {text(target.resource_type)}" if target.table is None else ""
    rows = connection.execute(f"SELECT DISTINCT source FROM main.{quoted(target.base)} {where} ORDER BY 1").fetchall()
    return [source for (source,) in rows]


def held(connection: duckdb.DuckDBPyConnection, target: Target, source: str) -> list[Held]:
    """The partitions of a source in which the target's type was read, but for those of HL7 v2 messages: what these
    made is what was known from all of them, which no file of theirs has.
    """
    rows = connection.execute(
        "SELECT DISTINCT uri, range_start, size, sha256 FROM etl.receipt WHERE source = ? AND "
        "len(list_filter(resources, lambda r: r.resource_type = ? AND r.read > r.quarantined)) > 0 "
        "AND coalesce(len(inputs), 0) = 0 ORDER BY ALL",
        [source, target.resource_type],
    ).fetchall()
    return [Held(*row) for row in rows]


def files_of_messages(connection: duckdb.DuckDBPyConnection, resource_type: str, source: str | None = None) -> int:
    """How many files of HL7 v2 messages made rows of a type, of one source or all."""
    row = connection.execute(
        "SELECT count(DISTINCT uri) FROM etl.receipt WHERE source = coalesce($source, source) AND len(inputs) > 0 AND "
        "len(list_filter(resources, lambda r: r.resource_type = $type AND r.read > r.quarantined)) > 0",
        {"source": source, "type": resource_type},
    ).fetchone()
    return 0 if row is None else int(row[0])


def refresh(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    target: Target,
    report: LoadReport,
    done: str,
    verified: Verified,
    intent: Written | None = None,
) -> int:
    """Replace the values of all rows whose content is staged, current and earlier; all of it or nothing.

    Identity, time and load of a row stay. ``report`` is that of the refresh. ``done`` is the Parquet
    file that then names the contents. ``verified``: see :func:`stores.commit.commit`. The number of current and earlier
    rows, or of resources for a view.
    """
    came = [staged.path for staged in unit.tables if staged.table == target.base]
    if not came:
        return 0
    connection.execute("RESET max_vacuum_tasks")  # what is replaced is to leave the file too
    connection.execute("BEGIN TRANSACTION")
    try:
        if target.view is not None:
            rows = _view(connection, unit, target, came, report.source, report.load_id, done)
        else:
            columns = {name for staged in unit.tables for name in staged.columns}
            rows = _table(connection, target, came, columns, report.source, done)
        number_commit(connection, report, datetime.now(UTC), 0, intent)
        verified.must_hold()
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return rows


def left(connection: duckdb.DuckDBPyConnection, target: Target, source: str, done: Sequence[str]) -> int:
    """How many rows of a source, current and (but for a view) earlier, were in none of the files."""
    schemas = ["main"] if target.view is not None else ["main", "history"]
    kind = f" AND type = {text(target.resource_type)}" if target.table is None else ""
    rows = " UNION ALL ".join(
        f"SELECT {_SAME} FROM {schema}.{quoted(target.base)} WHERE source = $source{kind}" for schema in schemas
    )
    refreshed = f"ANTI JOIN {read_parquet(done)} USING ({_SAME})" if done else ""
    row = connection.execute(f"SELECT count(*) FROM ({rows}) {refreshed}", {"source": source}).fetchone()
    return 0 if row is None else int(row[0])


def _table(
    connection: duckdb.DuckDBPyConnection, target: Target, came: list[str], columns: set[str], source: str, done: str
) -> int:
    assert target.table is not None
    shown, stored = contract(target.table), stored_columns(connection)
    if (STORED, shown.name) not in stored:
        return 0
    staged = f"read_parquet({files(came)}, union_by_name = true)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_FRESH} AS SELECT min({quoted(STAGE_ROW)}) AS stage_row, {_SAME} "
        f"FROM {staged} {_unpatched(shown.name, stored, source)} GROUP BY {_SAME}"
    )
    rooms = make_room(connection, shown, stored, columns)
    identity = [c.name for c in IDENTITY]
    rows = _replace(connection, f"{STORED}.{quoted(shown.name)}", staged, identity, source)
    connection.execute(write_parquet(f"SELECT {_SAME} FROM {_KEPT}", done))
    if (STORED_HISTORY, shown.name) in stored:
        make_history(connection, shown, stored, rooms)
        table = f"{STORED_HISTORY}.{quoted(shown.name)}"
        rows += _replace(connection, table, staged, [*identity, *(c.name for c in HISTORY_COLUMNS)], source)
        both = f"SELECT {_SAME} FROM {_KEPT} UNION ALL SELECT {_SAME} FROM {read_parquet([done])}"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_KEPT} AS {both}")
        connection.execute(write_parquet(f"FROM {_KEPT}", done))
    return rows


def _unpatched(table: str, stored: Stored, source: str) -> str:
    """Rows that messages changed are left as they are: the resource of a file is not all that is known of them."""
    if (STORED_PATCH, table) not in stored:
        return ""
    return f"ANTI JOIN (SELECT id FROM {STORED_PATCH}.{quoted(table)} WHERE source = {text(source)}) USING (id)"


def _replace(connection: duckdb.DuckDBPyConnection, table: str, staged: str, kept: Sequence[str], source: str) -> int:
    """Put the staged values in place of those of the rows with the same content; how many these are."""
    own = ", ".join(f"t.{quoted(c)}" for c in kept)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_KEPT} AS SELECT {own}, f.stage_row FROM {table} t "
        f"JOIN {_FRESH} f USING ({_SAME}) WHERE t.source = {text(source)}"
    )
    connection.execute(
        f"DELETE FROM {table} t USING {_KEPT} k "
        f"WHERE t.source = {text(source)} AND t.id = k.id AND t.content_hash = k.content_hash"
    )
    values = "* EXCLUDE (id, version_id, last_updated, last_updated_nanos, content_hash)"
    row = connection.execute(
        f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (stage_row, {quoted(STAGE_ROW)}) FROM {_KEPT} k "
        f"JOIN (SELECT {values} FROM {staged}) s ON s.{quoted(STAGE_ROW)} = k.stage_row"
    ).fetchone()
    return 0 if row is None else int(row[0])


def _view(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    target: Target,
    came: list[str],
    source: str,
    load_id: str,
    done: str,
) -> int:
    assert target.view is not None
    made = [staged.path for staged in unit.views]
    if made:
        connection.execute(
            f"DELETE FROM main.{quoted(target.view.name)} v USING (SELECT DISTINCT resource_id, content_hash "
            f"FROM read_parquet({files(made)}, union_by_name = true)) m WHERE v.source = {text(source)} "
            "AND v.resource_id = m.resource_id AND v.content_hash = m.content_hash"
        )
    fill_views(connection, unit, source, load_id, {target.resource_type: target.base})
    kind = f" AND m.type = {text(target.resource_type)}" if target.table is None else ""
    connection.execute(
        write_parquet(
            f"SELECT {_SAME} FROM main.{quoted(target.base)} m SEMI JOIN read_parquet({files(came)}, "
            f"union_by_name = true) USING ({_SAME}) WHERE m.source = {text(source)}{kind}",
            done,
        )
    )
    row = connection.execute(f"SELECT count(*) FROM {read_parquet([done])}").fetchone()
    return 0 if row is None else int(row[0])
