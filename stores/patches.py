"""Rows that say only what changed: what a sender left out keeps its value, what it cleared loses it.

The current row of an identity is the fold of all its patches in the order of K = (time, content hash): each element
comes from the last patch that tells it. `history` has the folds up to each earlier patch that changed something. So
both depend on which patches came, and not on their order. Patches are kept in schema
``stored_patch``, but for an identity of which only one is known that clears nothing: there the row is the patch.
"""

from __future__ import annotations

import duckdb

from schemas.element_columns import columns_by_element
from schemas.records import Counts
from schemas.table import IDENTITY, Column, Table
from stores.ddl import create_table
from stores.sql import STORED_PATCH, quoted, text
from stores.step import STAGE_ROW, Merge
from stores.stored import make_history, make_room

CLEARED = "~cleared"  # of staged patches: the elements that the sender cleared
_COLUMN = Column(CLEARED, "VARCHAR[]", "Elements that the patch clears.")
# Temporary tables: identities that came several times, patches of which a later one says the same, identities that are
# more than one new patch, their patches, the rows that these make.
_TWICE, _REPEAT, _TOUCHED, _PATCH, _MADE = '"~twice"', '"~repeat"', '"~touched"', '"~patch"', '"~made"'
_ORDER = "last_updated, last_updated_nanos, content_hash"
_IDENTITY = tuple(c.name for c in IDENTITY)


def merge_patches(connection: duckdb.DuckDBPyConnection, step: Merge, table: Table) -> Counts:
    """Apply one table's staged patches inside the caller's transaction.

    A patch is applied when it is new and the greatest of its identity, superseded when it is new and a greater one
    stands, else a duplicate; a superseded one may still fill what no greater one tells.
    """
    columns = make_room(connection, step.shown, step.stored, {*step.columns, *step.key} - {CLEARED})
    _make_room_for_patches(connection, step, columns)
    _find_touched(connection, step)
    counts = _insert_new(connection, step)
    counts.add(Counts(read=step.repeated, duplicate=step.repeated))
    if connection.execute(f"SELECT 1 FROM {_TOUCHED} LIMIT 1").fetchone() is not None:
        make_history(connection, step.shown, step.stored, columns)
        counts.add(_gather(connection, step))
        _fold(connection, table, columns)
        _replace(connection, step)
    return counts


def _patches(step: Merge) -> str:
    return f"{STORED_PATCH}.{quoted(step.shown.name)}"


def _make_room_for_patches(connection: duckdb.DuckDBPyConnection, step: Merge, columns: set[str]) -> None:
    there = step.stored.get((STORED_PATCH, step.shown.name), {})
    wanted = [*(c for c in step.shown.columns if c.name in columns), _COLUMN]
    if not there:
        connection.execute(create_table(STORED_PATCH, step.shown.name, wanted))
    for column in wanted:
        if there and column.name not in there:
            connection.execute(f"ALTER TABLE {_patches(step)} ADD COLUMN {quoted(column.name)} {column.dtype}")


def _find_touched(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """The identities of which different patches came, or that the mart knows, be it only as deleted; and of the others
    the patches that a later one repeats.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_TWICE} AS SELECT id FROM {step.staged} GROUP BY id HAVING count(*) > 1"
    )
    came = f"SELECT * FROM {step.staged} SEMI JOIN {_TWICE} USING (id)"
    ours = f"source = {text(step.source)}"
    known = " UNION ".join(
        f"SELECT id FROM {place} WHERE {ours} AND id IN (SELECT id FROM {step.staged})"
        for place in (step.main, _patches(step), step.tombstones)
    )
    differing = f"SELECT id FROM ({came}) GROUP BY id HAVING count(DISTINCT content_hash) > 1"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_TOUCHED} AS {differing} UNION {known}")
    row = quoted(STAGE_ROW)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_REPEAT} AS SELECT {row} FROM ({came}) ANTI JOIN {_TOUCHED} USING (id) "
        f"QUALIFY row_number() OVER (PARTITION BY id ORDER BY {_descending()}, {row}) > 1"
    )


def _insert_new(connection: duckdb.DuckDBPyConnection, step: Merge) -> Counts:
    """Insert the patches of identities of which nothing was known, each once."""
    fresh = f"{step.staged} s ANTI JOIN {_TOUCHED} t USING (id)"
    again = connection.execute(f"SELECT count(*) FROM {_REPEAT}").fetchone() or (0,)
    if again[0]:
        fresh += f" ANTI JOIN {_REPEAT} r USING ({quoted(STAGE_ROW)})"
    left_out = ", ".join(quoted(name) for name in (STAGE_ROW, CLEARED) if name in {*step.columns, STAGE_ROW})
    found = connection.execute(f"INSERT INTO {step.main} BY NAME SELECT * EXCLUDE ({left_out}) FROM {fresh}").fetchone()
    rows = 0 if found is None else int(found[0])
    if CLEARED in step.columns:
        connection.execute(
            f"INSERT INTO {_patches(step)} BY NAME SELECT * EXCLUDE ({quoted(STAGE_ROW)}) FROM {fresh} "
            f"WHERE len({quoted(CLEARED)}) > 0"
        )
    return Counts(read=rows + again[0], applied=rows, duplicate=again[0])


def _gather(connection: duckdb.DuckDBPyConnection, step: Merge) -> Counts:
    """All patches of the touched identities, of the same content the latest; what became of those that came."""
    ours = f"source = {text(step.source)}"
    lone = f"ANTI JOIN (SELECT id FROM {_patches(step)} WHERE {ours}) p USING (id)"
    places = (
        f"SELECT *, false AS came FROM {_patches(step)} WHERE {ours}",
        f"SELECT *, false AS came FROM {step.main} {lone} WHERE {ours}",
        f"SELECT * EXCLUDE (superseded_by), false AS came FROM {step.history} {lone} WHERE {ours}",
        f"SELECT * EXCLUDE ({quoted(STAGE_ROW)}), true AS came FROM {step.staged}",
    )
    known = " UNION ALL BY NAME ".join(f"(SELECT * FROM ({place}) SEMI JOIN {_TOUCHED} USING (id))" for place in places)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_PATCH} AS
        SELECT * REPLACE (min(load_id) OVER same AS load_id), bool_and(came) OVER same AS new,
               count(*) FILTER (came) OVER same AS arrived
        FROM ({known})
        WINDOW same AS (PARTITION BY id, content_hash),
               latest AS (PARTITION BY id, content_hash ORDER BY last_updated DESC, last_updated_nanos DESC)
        QUALIFY row_number() OVER latest = 1"""
    )
    ((read, new, top),) = connection.execute(
        f"""SELECT coalesce(sum(arrived), 0), count(*) FILTER (new), count(*) FILTER (new AND top)
        FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY {_descending()}) = 1 AS top FROM {_PATCH})"""
    ).fetchall()
    _delete(connection, step, _patches(step))
    connection.execute(f"INSERT INTO {_patches(step)} BY NAME SELECT * EXCLUDE (came, new, arrived) FROM {_PATCH}")
    return Counts(read=int(read), applied=top, superseded=new - top, duplicate=int(read) - new)


def _fold(connection: duckdb.DuckDBPyConnection, table: Table, columns: set[str]) -> None:
    """``made``: the rows that patches make with all before them, one for each run of patches after which the row is the
    same; its time and content are those of the last of the run.
    """
    groups = {
        element: [name for name in names if name in columns] for element, names in columns_by_element(table).items()
    }
    told = {element: names for element, names in groups.items() if names}
    folded = [f"{_last_told(element, names)} AS {quoted('~' + element)}" for element, names in told.items()]
    states = [quoted("~" + element) for element in told]
    shown = [f"{state}.{quoted(name)}" for state, names in zip(states, told.values(), strict=True) for name in names]
    keys = [quoted(name) for name in _IDENTITY]
    ordered = f"(PARTITION BY id ORDER BY {_ORDER})"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_MADE} AS
        WITH folded AS (
            SELECT {", ".join(keys + folded)} FROM {_PATCH}
            WINDOW upto AS (PARTITION BY id ORDER BY {_ORDER} ROWS UNBOUNDED PRECEDING)
        ), compared AS (
            SELECT *, row({", ".join(["0", *shown])}) AS state, row_number() OVER {ordered} AS number FROM folded
        ), marked AS (
            SELECT *, number = 1 OR state IS DISTINCT FROM lag(state) OVER {ordered} AS changed FROM compared
        ), numbered AS (
            SELECT *, count(*) FILTER (changed) OVER (PARTITION BY id ORDER BY {_ORDER}) AS run FROM marked
        ), runs AS (
            SELECT * REPLACE (min(load_id) OVER (PARTITION BY id, run) AS load_id) FROM numbered
            QUALIFY row_number() OVER (PARTITION BY id, run ORDER BY {_descending()}) = 1
        )
        SELECT {", ".join(keys + shown)}, lead(load_id) OVER {ordered} AS next_load FROM runs"""
    )


def _last_told(element: str, names: list[str]) -> str:
    """The columns of an element as the last patch that told or cleared it had them."""
    marks = {element, element.split("(", maxsplit=1)[0], element.split(".", maxsplit=1)[0]}
    clears = f"list_has_any({quoted(CLEARED)}, [{', '.join(map(text, sorted(marks)))}])"
    told = " OR ".join([f"coalesce({clears}, false)", *(f"{quoted(name)} IS NOT NULL" for name in names)])
    packed = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
    return f"last_value(CASE WHEN {told} THEN struct_pack({packed}) END IGNORE NULLS) OVER upto"


def _replace(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """Put the rows that were made in place of those that the touched identities had."""
    for place in (step.main, step.history):
        _delete(connection, step, place)
    newest = f"(SELECT id, max(({_ORDER})) AS k FROM {_PATCH} GROUP BY id)"
    deleted = "SELECT id, max((last_updated, last_updated_nanos)) AS k, max(load_id) AS load_id"
    gone = (
        f"(SELECT n.id, d.load_id FROM {newest} n JOIN ({deleted} FROM {step.tombstones} GROUP BY id) d USING (id) "
        "WHERE d.k >= (n.k[1], n.k[2]))"
    )
    row = "m.* EXCLUDE (next_load)"
    connection.execute(
        f"INSERT INTO {step.main} BY NAME SELECT {row} FROM {_MADE} m ANTI JOIN {gone} g USING (id) "
        "WHERE next_load IS NULL"
    )
    connection.execute(
        f"INSERT INTO {step.history} BY NAME "
        f"SELECT {row}, greatest(m.load_id, coalesce(next_load, g.load_id)) AS superseded_by "
        f"FROM {_MADE} m LEFT JOIN {gone} g USING (id) WHERE next_load IS NOT NULL OR g.id IS NOT NULL"
    )
    connection.execute(
        f"UPDATE etl.tombstone t SET superseded_by = coalesce(t.superseded_by, {text(step.load_id)}) "
        f"FROM (SELECT id FROM {_TOUCHED} ANTI JOIN {gone} g USING (id)) n WHERE t.source = {text(step.source)} "
        f"AND t.resource_type = {text(step.resource_type)} AND t.id = n.id"
    )


def _delete(connection: duckdb.DuckDBPyConnection, step: Merge, place: str) -> None:
    connection.execute(f"DELETE FROM {place} WHERE source = {text(step.source)} AND id IN (SELECT id FROM {_TOUCHED})")


def _descending() -> str:
    return ", ".join(f"{name} DESC" for name in _ORDER.split(", "))
