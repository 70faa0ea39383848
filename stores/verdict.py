"""Which version of every identity is the greatest by the total order K, and where each version stands.

K = (lastUpdated, version class (missing < numeric < text), number, text, deleted, content hash). A version is its
content: of equal contents the greatest time counts, so any order and any repetition of the same inputs ends in the same
tables. A delete is a version like any other: an identity whose greatest version is one has no current row.
"""

from __future__ import annotations

import duckdb

from schemas.table import TIMELESS
from stores.sql import quoted, text
from stores.step import INCOMING, STAGE_ROW, VERDICT, VERSION, Merge

# Numbers of any length compare by their digits: the longer is greater, else the text decides.
_NUMERIC = "regexp_full_match(version_id, '[0-9]+')"
_CLASSES = f"""
    CASE WHEN version_id IS NULL THEN 0 WHEN {_NUMERIC} THEN 1 ELSE 2 END AS version_class,
    CASE WHEN {_NUMERIC} THEN len(ltrim(version_id, '0')) ELSE 0 END AS version_digits,
    CASE WHEN {_NUMERIC} THEN ltrim(version_id, '0') ELSE '' END AS version_number,
    coalesce(version_id, '') AS version_text"""
_OF_CONTENT = (
    "last_updated",
    "last_updated_nanos",
    "version_class",
    "version_digits",
    "version_number",
    "version_text",
)
_DESCENDING = ", ".join(f"{c} DESC" for c in (*_OF_CONTENT, "deleted", "content_hash"))


def take_in(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """``incoming``: the identity and version of every staged row and delete."""
    parts = []
    if step.paths:
        columns = f"{quoted(STAGE_ROW)} AS stage_row, false AS deleted, {_timeless(TIMELESS in step.columns)}"
        parts.append(_narrow(step, columns, step.staged))
    if step.deleted:
        columns = f"{quoted(STAGE_ROW)} AS stage_row, true AS deleted, {_timeless(False)}"
        parts.append(_narrow(step, columns, step.staged_deletes))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {INCOMING} AS {' UNION ALL '.join(parts)}")


def judge(connection: duckdb.DuckDBPyConnection, step: Merge, *, timeless: bool) -> None:
    """``verdict``: one row per identity and content that is stored or came in, with its greatest K and its place.

    ``origin`` says where it stands (main: it is the current version, be it a row or a delete; history: it was one or
    never; new: not in the mart), ``top`` whether it is now the current version, ``stage_row`` which staged row to take,
    ``arrived`` how many staged rows had this content, ``timeless`` whether its time is only when it was seen (the mart
    has such rows only if ``timeless``). ``twin`` and ``again`` are false: what was only written anew is settled later.
    """
    ours = f"source = {text(step.source)}"
    columns = f"NULL::BIGINT AS stage_row, false AS deleted, {_timeless(timeless)}"
    stored = [
        _narrow(step, f"{columns}, {place} AS origin", table, f" WHERE {ours}")
        for place, table in (("'main'", step.main), ("'history'", step.history))
    ]
    if has_tombstones(connection, step):
        place = "CASE WHEN superseded_by IS NULL THEN 'main' ELSE 'history' END AS origin"
        stored.append(
            _narrow(step, f"NULL::BIGINT AS stage_row, true AS deleted, {_timeless(False)}, {place}", step.tombstones)
        )
    known = " UNION ALL ".join(f"(FROM ({one}) SEMI JOIN {INCOMING} USING ({step.keys}))" for one in stored)
    best = ", ".join(f"{c} := {c}" for c in ("stage_row", *_OF_CONTENT))
    order = ", ".join(_OF_CONTENT)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {VERDICT} AS
        WITH versions AS (
            SELECT *, {_CLASSES} FROM ({known} UNION ALL BY NAME SELECT *, 'new' AS origin FROM {INCOMING})
        ), contents AS (
            SELECT {step.keys}, deleted, content_hash,
                   CASE WHEN bool_or(origin = 'main') THEN 'main' WHEN bool_or(origin = 'history') THEN 'history'
                        ELSE 'new' END AS origin,
                   count(stage_row) AS arrived, bool_or(timeless) AS timeless,
                   arg_max(struct_pack({best}), ({order}, coalesce(-stage_row, 1))) AS best
            FROM versions GROUP BY {step.keys}, deleted, content_hash
        ), ranked AS (
            SELECT * EXCLUDE (best), unnest(best) FROM contents
        )
        SELECT *, row_number() OVER (PARTITION BY {step.keys} ORDER BY {_DESCENDING}) = 1 AS top, origin = 'new' AS new,
               false AS twin, false AS again
        FROM ranked"""
    )


def has_tombstones(connection: duckdb.DuckDBPyConnection, step: Merge) -> bool:
    """Whether any delete of the table's type is known, so that most marts need not look them up."""
    return connection.execute(f"SELECT 1 FROM {step.tombstones} LIMIT 1").fetchone() is not None


def _timeless(known: bool) -> str:
    return f"coalesce({quoted(TIMELESS)}, false) AS timeless" if known else "false AS timeless"


def _narrow(step: Merge, more: str, table: str, where: str = "") -> str:
    return f"SELECT {more}, {step.keys}, {VERSION} FROM {table}{where}"
