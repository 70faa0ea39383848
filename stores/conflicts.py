"""Versions that say they are the same and are not: equal `versionId` and `lastUpdated`, other bytes."""

from __future__ import annotations

import duckdb

from schemas.notes import Note
from stores.sql import quoted, text
from stores.step import CONFLICT, STAGE_ROW, VERDICT, Merge

# What differs between two versions without the resource differing.
_OURS = ("source", "load_id", "content_hash", STAGE_ROW, "superseded_by", "last_updated", "last_updated_nanos")


def note_conflicts(connection: duckdb.DuckDBPyConnection, step: Merge) -> dict[str, int]:
    """A row of ``etl.validation`` for each pair of versions in conflict, and how many there are by resource type.

    After the verdict and before anything moves. A pair is found when the second of the two comes in, so it is noted
    once, in whatever order and however often they are loaded. Pairs that are equal in all columns are
    ``version_rewritten``: the keys stand in another order, or what differs is read by no column.
    """
    version = f"{step.keys}, last_updated, last_updated_nanos, version_text"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {CONFLICT} AS SELECT {', '.join(f'n.{quoted(k)}' for k in step.key)}, "
        f"n.content_hash AS one, o.content_hash AS other "
        f"FROM (SELECT * FROM {VERDICT} WHERE new AND NOT deleted AND version_class > 0) n "
        f"JOIN (SELECT * FROM {VERDICT} WHERE NOT deleted) o USING ({version}) "
        "WHERE n.content_hash <> o.content_hash AND (NOT o.new OR o.content_hash < n.content_hash)"
    )
    if connection.execute(f"SELECT 1 FROM {CONFLICT} LIMIT 1").fetchone() is None:
        return {}
    same = f"({_looks(step, 'one')}) = ({_looks(step, 'other')})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_LOOK} AS {_all_looks(step)}")
    for note, where in ((Note.VERSION_CONFLICT, f"({same}) IS NOT TRUE"), (Note.VERSION_REWRITTEN, same)):
        connection.execute(
            f"INSERT INTO etl.validation BY NAME SELECT {text(step.load_id)} AS load_id, "
            f"{text(step.source)} AS source, {step.kind} AS resource_type, id, 'note' AS finding, "
            f"'meta.versionId' AS path, {text(note)} AS code, {text(note.meaning)} AS message "
            f"FROM {CONFLICT} c WHERE {where}"
        )
    rows = connection.execute(
        f"SELECT {step.kind}, count(*) FROM {CONFLICT} c WHERE ({same}) IS NOT TRUE GROUP BY 1"
    ).fetchall()
    return {str(kind): int(pairs) for kind, pairs in rows}


_LOOK = '"~look"'


def _looks(step: Merge, side: str) -> str:
    """What a version of a pair looks like in the table, as a number."""
    keys = " AND ".join(f"l.{quoted(k)} = c.{quoted(k)}" for k in step.key)
    return f"SELECT any_value(look) FROM {_LOOK} l WHERE {keys} AND l.content_hash = c.{side}"


def _all_looks(step: Merge) -> str:
    """A hash of the columns of every version in conflict, wherever it stands."""
    asked = f"(SELECT {step.keys}, one AS content_hash FROM {CONFLICT} UNION SELECT {step.keys}, other FROM {CONFLICT})"
    places = [f"SELECT * FROM {table} WHERE source = {text(step.source)}" for table in (step.main, step.history)]
    if step.paths:
        places.append(f"SELECT * FROM {step.staged}")
    found = " UNION ALL BY NAME ".join(
        f"SELECT t.* FROM ({place}) t SEMI JOIN {asked} a USING ({step.keys}, content_hash)" for place in places
    )
    left_out = ", ".join(text(name) for name in _OURS)
    return f"SELECT {step.keys}, content_hash, hash(*COLUMNS(lambda c: c NOT IN ({left_out}))) AS look FROM ({found})"
