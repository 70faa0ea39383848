"""Reduce staged rows to one current version per identity and keep the others as history, by the total order K.

K = (lastUpdated, version class (missing < numeric < text), number, text, content hash). A version is its content: of
equal
contents the greatest time counts, so any order and any repetition of the same inputs ends in the same tables.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import duckdb

from schemas.records import Counts
from stores.ddl import Contract, Stored
from stores.sql import STORED, STORED_HISTORY, files, quoted, text
from stores.stored import make_history, make_room

# Temporary tables hide those of the mart that are called the same: no view can have such a name.
_INCOMING, _VERDICT, _REVIVED = '"~incoming"', '"~verdict"', '"~revived"'
STAGE_ROW = "~row"  # number of a row in the stage, unique within a commit unit

_TIME = ("last_updated", "last_updated_nanos")
# Numbers of any length compare by their digits: the longer is greater, else the text decides.
_NUMERIC = "regexp_full_match(version_id, '[0-9]+')"
_ORDER = f"""
    last_updated, last_updated_nanos,
    CASE WHEN version_id IS NULL THEN 0 WHEN {_NUMERIC} THEN 1 ELSE 2 END AS version_class,
    CASE WHEN {_NUMERIC} THEN len(ltrim(version_id, '0')) ELSE 0 END AS version_digits,
    CASE WHEN {_NUMERIC} THEN ltrim(version_id, '0') ELSE '' END AS version_number,
    coalesce(version_id, '') AS version_text"""
_DESCENDING = ", ".join(
    f"{c} DESC" for c in (*_TIME, "version_class", "version_digits", "version_number", "version_text", "content_hash")
)


@dataclass(frozen=True, slots=True)
class Merge:
    """One table's part of a commit: staged Parquet files into what ``main.<table>`` and ``history.<table>`` show.

    ``rows`` and ``columns`` are those of the files.
    """

    shown: Contract
    stored: Stored  # what the mart has before
    key: tuple[str, ...]  # identity within a source: ("id",), or ("type", "id")
    paths: Sequence[str]
    rows: int
    columns: Collection[str]
    source: str
    load_id: str

    @property
    def staged(self) -> str:
        """The staged rows as a relation with all columns of the table."""
        return (
            f"(SELECT {text(self.source)} AS source, {text(self.load_id)} AS load_id, * "
            f"FROM read_parquet({files(list(self.paths))}, union_by_name = true))"
        )

    @property
    def main(self) -> str:
        """The table of current rows."""
        return f"{STORED}.{quoted(self.shown.name)}"

    @property
    def history(self) -> str:
        """The table of earlier versions."""
        return f"{STORED_HISTORY}.{quoted(self.shown.name)}"

    @property
    def keys(self) -> str:
        """The key columns, quoted."""
        return ", ".join(quoted(k) for k in self.key)


def merge(connection: duckdb.DuckDBPyConnection, step: Merge) -> dict[str, Counts]:
    """Apply one table's staged rows inside the caller's transaction; counts by resource type.

    The type is ``type`` where the table's key has it, else the empty text (the caller knows the table's type).
    """
    columns = make_room(connection, step.shown, step.stored, step.columns)
    if _uncontested(connection, step):
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * EXCLUDE ({quoted(STAGE_ROW)}) FROM {step.staged}")
        return {kind: Counts(read=n, applied=n) for kind, n in _read(connection, step)}
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_INCOMING} AS SELECT {quoted(STAGE_ROW)} AS stage_row, {step.keys}, "
        f"version_id, last_updated, last_updated_nanos, content_hash FROM {step.staged}"
    )
    make_history(connection, step.shown, step.stored, columns)
    _judge(connection, step)
    _move(connection, step)
    return _counts(connection, step)


def _uncontested(connection: duckdb.DuckDBPyConnection, step: Merge) -> bool:
    """True when no identity comes twice and none is known: then every staged row simply goes in."""
    here = f"{step.main} SEMI JOIN {_INCOMING} USING ({step.keys})"
    known = f"SELECT 1 FROM {here} WHERE source = {text(step.source)} LIMIT 1"
    row = connection.execute(
        f"WITH {_INCOMING} AS MATERIALIZED (SELECT {step.keys} FROM {step.staged}) "
        f"SELECT count(*) = count(DISTINCT ({step.keys})) AND (SELECT count(*) FROM ({known})) = 0 FROM {_INCOMING}"
    ).fetchone()
    return row == (True,)


def _judge(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """``verdict``: one row per identity and content that is stored or came in, with its greatest K and its place.

    ``origin`` says where it stands (main, history or new), ``top`` whether it is now the current version,
    ``stage_row`` which
    staged row to take, ``arrived`` how many staged rows had this content.
    """
    stored = " UNION ALL ".join(
        f"SELECT {origin} AS origin, NULL AS stage_row, {step.keys}, version_id, last_updated, "
        f"last_updated_nanos, content_hash FROM {table} SEMI JOIN {_INCOMING} USING ({step.keys}) "
        f"WHERE source = {text(step.source)}"
        for origin, table in (("'main'", step.main), ("'history'", step.history))
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_VERDICT} AS
        WITH versions AS (
            SELECT *, {_ORDER.replace("last_updated, last_updated_nanos,", "", 1)} FROM (
                {stored} UNION ALL
                SELECT 'new', stage_row, {step.keys}, version_id, last_updated, last_updated_nanos, content_hash
                FROM {_INCOMING})
        ), contents AS (
            SELECT {step.keys}, content_hash,
                   CASE WHEN bool_or(origin = 'main') THEN 'main' WHEN bool_or(origin = 'history') THEN 'history'
                        ELSE 'new' END AS origin,
                   count(stage_row) AS arrived,
                   arg_max(struct_pack(stage_row := stage_row, last_updated := last_updated,
                       last_updated_nanos := last_updated_nanos, version_class := version_class,
                       version_digits := version_digits, version_number := version_number,
                       version_text := version_text),
                       (last_updated, last_updated_nanos, version_class, version_digits, version_number, version_text,
                        coalesce(-stage_row, 1))) AS best
            FROM versions GROUP BY {step.keys}, content_hash
        ), ranked AS (
            SELECT * EXCLUDE (best), unnest(best) FROM contents
        )
        SELECT * , row_number() OVER (PARTITION BY {step.keys} ORDER BY {_DESCENDING}) = 1 AS top, origin = 'new' AS new
        FROM ranked"""
    )


def _move(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """Bring main and history to what the verdict says.

    Wide rows only stream through: a join builds its table of the narrow verdict, whatever the size of the load. A MERGE
    that updates would hold all the new rows in memory at once.
    """
    fates = set(connection.execute(f"SELECT DISTINCT origin, top FROM {_VERDICT}").fetchall())
    same = f"USING ({step.keys}, content_hash)"
    source, load = text(step.source), text(step.load_id)
    back, out = ("history", True) in fates, ("main", False) in fates
    if back:  # what comes back out of history must be taken before the rows it replaces go in
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_REVIVED} AS SELECT h.* EXCLUDE (superseded_by) FROM {step.history} h "
            f"SEMI JOIN (SELECT * FROM {_VERDICT} WHERE top AND origin = 'history') v {same} WHERE h.source = {source}"
        )
        _delete(connection, step, step.history, "v.top AND v.origin = 'history'")
    if out:
        connection.execute(
            f"INSERT INTO {step.history} BY NAME SELECT m.*, {load} AS superseded_by FROM {step.main} m "
            f"SEMI JOIN (SELECT * FROM {_VERDICT} WHERE NOT top AND origin = 'main') v {same} WHERE m.source = {source}"
        )
        _delete(connection, step, step.main, "NOT v.top AND v.origin = 'main'")
    if ("new", False) in fates:
        losers = f"SELECT *, {load} AS superseded_by FROM {_staged_where(step, 'NOT top')}"
        connection.execute(f"INSERT INTO {step.history} BY NAME {losers}")
    if ("new", True) in fates:
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * FROM {_staged_where(step, 'top')}")
    if back:
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * FROM {_REVIVED}")
    if back or ("main", True) in fates:
        _touch(connection, step, step.main, "v.top AND v.origin IN ('main', 'history')")
    if out or ("history", False) in fates:
        _touch(connection, step, step.history, "NOT v.top AND v.origin IN ('main', 'history')")


def _staged_where(step: Merge, fate: str) -> str:
    """The staged rows that the verdict names as new and of this fate."""
    row = quoted(STAGE_ROW)
    chosen = f"(SELECT stage_row FROM {_VERDICT} WHERE new AND {fate})"
    return f"(SELECT s.* EXCLUDE ({row}) FROM {step.staged} s SEMI JOIN {chosen} v ON s.{row} = v.stage_row)"


def _delete(connection: duckdb.DuckDBPyConnection, step: Merge, table: str, where: str) -> None:
    connection.execute("RESET max_vacuum_tasks")  # what is deleted is to leave the file too
    connection.execute(f"DELETE FROM {table} t USING {_VERDICT} v WHERE {_match(step)} AND {where}")


def _touch(connection: duckdb.DuckDBPyConnection, step: Merge, table: str, where: str) -> None:
    """Content seen again at a later time (a row without `meta.lastUpdated`): only its time moves."""
    connection.execute(
        f"UPDATE {table} t SET last_updated = v.last_updated, last_updated_nanos = v.last_updated_nanos "
        f"FROM {_VERDICT} v WHERE {_match(step)} AND {where} "
        "AND (t.last_updated, t.last_updated_nanos) < (v.last_updated, v.last_updated_nanos)"
    )


def _match(step: Merge) -> str:
    keys = " AND ".join(f"t.{quoted(k)} = v.{quoted(k)}" for k in (*step.key, "content_hash"))
    return f"t.source = {text(step.source)} AND {keys}"


def _read(connection: duckdb.DuckDBPyConnection, step: Merge) -> list[tuple[str, int]]:
    """Staged rows by resource type."""
    if "type" not in step.key:
        return [("", step.rows)]
    return connection.execute(f"SELECT {_kind(step)}, count(*) FROM {step.staged} GROUP BY 1").fetchall()


def _kind(step: Merge) -> str:
    return '"type"' if "type" in step.key else "''"


def _counts(connection: duckdb.DuckDBPyConnection, step: Merge) -> dict[str, Counts]:
    counts = {kind: Counts(read=n) for kind, n in _read(connection, step)}
    judged = connection.execute(
        f"SELECT {_kind(step)}, count(*) FILTER (top AND arrived > 0 AND origin <> 'main'), "
        f"count(*) FILTER (new AND NOT top) FROM {_VERDICT} GROUP BY 1"
    ).fetchall()
    for kind, applied, superseded in judged:
        if kind in counts:
            counts[kind].applied, counts[kind].superseded = applied, superseded
    for one in counts.values():
        one.duplicate = one.read - one.applied - one.superseded
    return counts
