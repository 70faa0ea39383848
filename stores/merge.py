"""Bring staged rows and deletes into one table: one current version per identity, the others in history."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb

from schemas.records import Counts
from schemas.table import TIMELESS
from stores.audit.versions import fresh_deletes, fresh_rows, loads_of_twins, staged_rows
from stores.conflicts import settle_conflicts
from stores.sql import quoted, text
from stores.step import INCOMING, REVIVED, STAGE_ROW, VERDICT, VERSION, Merge
from stores.stored import make_history, make_room
from stores.verdict import has_tombstones, judge, take_in


@dataclass(slots=True)
class Merged:
    """By resource type: what became of staged rows and deletes, and how many pairs of versions are in conflict."""

    counts: dict[str, Counts] = field(default_factory=dict)
    conflicts: dict[str, int] = field(default_factory=dict)
    rows: str = ""  # relation of the versions that are new in the mart, until the next merge
    deletes: str | None = None
    robbed: set[str] = field(default_factory=set)  # earlier loads some of whose versions went


def merge(connection: duckdb.DuckDBPyConnection, step: Merge) -> Merged:
    """Apply one table's staged rows and deletes inside the caller's transaction."""
    columns = make_room(connection, step.shown, step.stored, {*step.columns, *step.key})
    if _uncontested(connection, step):
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * EXCLUDE ({quoted(STAGE_ROW)}) FROM {step.staged}")
        applied = {kind: Counts(read=n, applied=n) for kind, n in _read(connection, step)}
        return Merged(applied, rows=staged_rows(step))
    make_history(connection, step.shown, step.stored, columns)
    timeless = TIMELESS in columns
    take_in(connection, step)
    judge(connection, step, timeless=timeless)
    conflicts = settle_conflicts(connection, step)
    robbed = loads_of_twins(connection, step)
    _move(connection, step)
    _bury(connection, step)
    deletes = fresh_deletes(step) if step.deleted else None
    return Merged(_counts(connection, step), conflicts, fresh_rows(step), deletes, robbed)


def _uncontested(connection: duckdb.DuckDBPyConnection, step: Merge) -> bool:
    """True when no identity comes twice and none is known: then every staged row simply goes in."""
    if step.deleted:
        return False
    places = [f"(SELECT {step.keys} FROM {step.main} WHERE source = {text(step.source)})"]
    if has_tombstones(connection, step):
        places.append(step.tombstones)
    known = " + ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM {one} SEMI JOIN {INCOMING} USING ({step.keys}) LIMIT 1))"
        for one in places
    )
    row = connection.execute(
        f"WITH {INCOMING} AS MATERIALIZED (SELECT {step.keys} FROM {step.staged}) "
        f"SELECT count(*) = count(DISTINCT ({step.keys})) AND {known} = 0 FROM {INCOMING}"
    ).fetchone()
    return row == (True,)


def _move(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """Bring main and history to what the verdict says.

    Wide rows only stream through: a join builds its table of the narrow verdict, whatever the size of the load. A MERGE
    that updates would hold all the new rows in memory at once.
    """
    found = connection.execute(f"SELECT DISTINCT origin, top, twin FROM {VERDICT} WHERE NOT deleted").fetchall()
    fates = {(str(origin), bool(top)) for origin, top, _ in found}
    same = f"USING ({step.keys}, content_hash)"
    source, load = text(step.source), text(step.load_id)
    back, out = ("history", True) in fates, ("main", False) in fates
    if back:  # what comes back out of history must be taken before the rows it replaces go in
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {REVIVED} AS SELECT h.* EXCLUDE (superseded_by) FROM {step.history} h "
            f"SEMI JOIN {_chosen('top', 'history')} v {same} WHERE h.source = {source}"
        )
        _delete(connection, step, step.history, _chosen("top", "history"))
    if out:
        connection.execute(
            f"INSERT INTO {step.history} BY NAME SELECT m.*, {load} AS superseded_by FROM {step.main} m "
            f"SEMI JOIN {_chosen('NOT top AND NOT twin', 'main')} v {same} WHERE m.source = {source}"
        )
        _delete(connection, step, step.main, _chosen("NOT top", "main"))
    if ("history", False, True) in found:
        _delete(connection, step, step.history, _chosen("twin", "history"))
    if ("new", False) in fates:
        losers = f"SELECT *, {load} AS superseded_by FROM {_staged_where(step, 'NOT top AND NOT twin')}"
        connection.execute(f"INSERT INTO {step.history} BY NAME {losers}")
    if ("new", True) in fates:
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * FROM {_staged_where(step, 'top')}")
    if back:
        connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * FROM {REVIVED}")
    if back or ("main", True) in fates:
        _touch(connection, step, step.main, _chosen("top", "main", "history"))
    if out or ("history", False) in fates:
        _touch(connection, step, step.history, _chosen("NOT top", "main", "history"))


def _bury(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """Keep every delete, with whether it is the current version, and the greatest time at which it was told."""
    found = connection.execute(f"SELECT DISTINCT new FROM {VERDICT} WHERE deleted").fetchall()
    load = text(step.load_id)
    if (False,) in found:
        connection.execute(
            f"UPDATE etl.tombstone t SET last_updated = v.last_updated, last_updated_nanos = v.last_updated_nanos, "
            f"superseded_by = CASE WHEN v.top THEN NULL ELSE coalesce(t.superseded_by, {load}) END "
            f"FROM {VERDICT} v WHERE v.deleted AND NOT v.new AND t.source = {text(step.source)} "
            f"AND t.resource_type = {_kind_of(step, 'v')} AND t.id = v.id AND t.content_hash = v.content_hash"
        )
    if (True,) in found:
        row = quoted(STAGE_ROW)
        connection.execute(
            f"INSERT INTO etl.tombstone BY NAME SELECT {text(step.source)} AS source, s.resource_type, s.id, "
            f"{', '.join(f's.{c}' for c in VERSION.split(', '))}, {load} AS load_id, "
            f"CASE WHEN v.top THEN NULL ELSE {load} END AS superseded_by "
            f"FROM {step.staged_deletes} s JOIN {VERDICT} v ON s.{row} = v.stage_row AND v.deleted AND v.new"
        )


def _chosen(fate: str, *origins: str) -> str:
    """The rows of the verdict that stand in one of these places and have this fate."""
    places = ", ".join(text(origin) for origin in origins)
    return f"(SELECT * FROM {VERDICT} WHERE NOT deleted AND {fate} AND origin IN ({places}))"


def _staged_where(step: Merge, fate: str) -> str:
    """The staged rows that the verdict names as new and of this fate."""
    row = quoted(STAGE_ROW)
    chosen = f"(SELECT stage_row FROM {VERDICT} WHERE new AND NOT deleted AND {fate})"
    return f"(SELECT s.* EXCLUDE ({row}) FROM {step.staged} s SEMI JOIN {chosen} v ON s.{row} = v.stage_row)"


def _delete(connection: duckdb.DuckDBPyConnection, step: Merge, table: str, chosen: str) -> None:
    connection.execute("RESET max_vacuum_tasks")  # what is deleted is to leave the file too
    connection.execute(f"DELETE FROM {table} t USING {chosen} v WHERE {_match(step)}")


def _touch(connection: duckdb.DuckDBPyConnection, step: Merge, table: str, chosen: str) -> None:
    """Content seen again as a later version (a row without `meta.lastUpdated`, or of a document): only that moves."""
    version = "CASE WHEN v.version_class > 0 THEN v.version_text END"
    connection.execute(
        f"UPDATE {table} t SET last_updated = v.last_updated, last_updated_nanos = v.last_updated_nanos, "
        f"version_id = {version} FROM {chosen} v WHERE {_match(step)} "
        "AND ((t.last_updated, t.last_updated_nanos) < (v.last_updated, v.last_updated_nanos) "
        f"OR t.version_id IS DISTINCT FROM {version})"
    )


def _match(step: Merge) -> str:
    keys = " AND ".join(f"t.{quoted(k)} = v.{quoted(k)}" for k in (*step.key, "content_hash"))
    return f"t.source = {text(step.source)} AND {keys}"


def _read(connection: duckdb.DuckDBPyConnection, step: Merge) -> list[tuple[str, int]]:
    """Staged rows by resource type."""
    if step.resource_type:
        return [(step.resource_type, step.rows)]
    return connection.execute(f"SELECT {step.kind}, count(*) FROM {step.staged} GROUP BY 1").fetchall()


def _kind_of(step: Merge, alias: str) -> str:
    return step.kind if step.resource_type else f"{alias}.{step.kind}"


def _counts(connection: duckdb.DuckDBPyConnection, step: Merge) -> dict[str, Counts]:
    rows = connection.execute(f"SELECT {step.kind}, count(*) FROM {INCOMING} GROUP BY 1").fetchall()
    counts = {kind: Counts(read=n) for kind, n in rows}
    judged = connection.execute(
        f"SELECT {step.kind}, count(*) FILTER (top AND arrived > 0 AND origin <> 'main' AND NOT again), "
        f"count(*) FILTER (new AND NOT top AND NOT twin AND NOT again) FROM {VERDICT} GROUP BY 1"
    ).fetchall()
    for kind, applied, superseded in judged:
        if kind in counts:
            counts[kind].applied, counts[kind].superseded = applied, superseded
    for one in counts.values():
        one.duplicate = one.read - one.applied - one.superseded
    return counts
