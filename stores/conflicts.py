"""Versions that say they are the same: equal `versionId` and `lastUpdated`, other bytes.

Where the mart holds the same of both, the resource was only written anew (its keys in another order, other white
space): they are one version, and the one with the greatest hash stands for all. Else they contradict each other, and a
note says so.
"""

from __future__ import annotations

import duckdb

from schemas.canonical_json import canonical
from schemas.notes import Note
from stores.sql import quoted, text
from stores.step import CONFLICT, STAGE_ROW, VERDICT, Merge

# What differs between two versions without the resource differing.
_OURS = (
    *("source", "load_id", "content_hash", "superseded_by", "last_updated", "last_updated_nanos"),
    STAGE_ROW,
)
_FOUND, _LOOK, _MEANT, _CLASS = '"~found"', '"~look"', '"~meant"', '"~class"'
_SENT, _SAID = '"~sent"', '"~said"'  # columns of ``meant``, which no table has
_TEXTS = 10_000  # JSON texts that are read at a time
_VERSION = "last_updated, last_updated_nanos, version_text"


def settle_conflicts(connection: duckdb.DuckDBPyConnection, step: Merge) -> dict[str, int]:
    """Mark in the verdict what was only written anew, and note what contradicts: pairs in conflict by resource type.

    After the verdict and before anything moves. Of the versions that look the same all but the greatest become
    ``twin`` (they are not kept), and that one ``again`` when the mart had one of them. A pair in conflict is found when
    the second of the two comes in, so it is noted once, in whatever order and however often they are loaded. A time
    that is only when a row was seen makes no two versions the same.
    """
    version = f"{step.keys}, {_VERSION}"
    told = "NOT deleted AND version_class > 0 AND NOT timeless"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {CONFLICT} AS SELECT {', '.join(f'n.{quoted(k)}' for k in step.key)}, "
        f"n.content_hash AS one, o.content_hash AS other FROM (SELECT * FROM {VERDICT} WHERE new AND {told}) n "
        f"JOIN (SELECT * FROM {VERDICT} WHERE {told}) o USING ({version}) "
        "WHERE n.content_hash <> o.content_hash AND (NOT o.new OR o.content_hash < n.content_hash)"
    )
    if connection.execute(f"SELECT 1 FROM {CONFLICT} LIMIT 1").fetchone() is None:
        return {}
    _look(connection, step)
    _mark_twins(connection, step)
    found = f"""(SELECT c.* FROM {CONFLICT} c JOIN {VERDICT} a ON {_is(step, "a", "one")}
        JOIN {VERDICT} b ON {_is(step, "b", "other")}
        WHERE NOT (a.twin OR b.twin) AND ((a.new AND NOT a.again) OR (b.new AND NOT b.again)))"""
    connection.execute(
        f"INSERT INTO etl.validation BY NAME SELECT {text(step.load_id)} AS load_id, "
        f"{text(step.source)} AS source, {step.kind} AS resource_type, id, 'note' AS finding, "
        f"'meta.versionId' AS path, {text(Note.VERSION_CONFLICT)} AS code, "
        f"{text(Note.VERSION_CONFLICT.meaning)} AS message FROM {found}"
    )
    rows = connection.execute(f"SELECT {step.kind}, count(*) FROM {found} GROUP BY 1").fetchall()
    return {str(kind): int(pairs) for kind, pairs in rows}


def _is(step: Merge, side: str, content: str) -> str:
    keys = " AND ".join(f"{side}.{quoted(k)} = c.{quoted(k)}" for k in step.key)
    return f"{keys} AND {side}.content_hash = c.{content} AND NOT {side}.deleted"


def _mark_twins(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    alike = f"PARTITION BY {step.keys}, {_VERSION}, look"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CLASS} AS SELECT {step.keys}, content_hash, "
        f"content_hash < max(content_hash) OVER ({alike}) AS twin, new AND bool_or(NOT new) OVER ({alike}) AS again "
        f"FROM (SELECT * FROM {VERDICT} WHERE NOT deleted AND NOT timeless) "
        f"JOIN {_LOOK} USING ({step.keys}, content_hash)"
    )
    connection.execute(
        f"UPDATE {VERDICT} v SET twin = c.twin, again = c.again FROM {_CLASS} c "
        f"WHERE {_is(step, 'v', 'content_hash')} AND (c.twin OR c.again)"
    )


def _look(connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
    """``look``: a hash of the columns of every version of a pair, wherever it stands."""
    asked = f"(SELECT {step.keys}, one AS content_hash FROM {CONFLICT} UNION SELECT {step.keys}, other FROM {CONFLICT})"
    places = [f"SELECT * FROM {table} WHERE source = {text(step.source)}" for table in (step.main, step.history)]
    places.append(f"SELECT * FROM {step.staged}")
    found = " UNION ALL BY NAME ".join(
        f"SELECT t.* FROM ({place}) t SEMI JOIN {asked} a USING ({step.keys}, content_hash)" for place in places
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_FOUND} AS {found}")
    there = {str(row[0]) for row in connection.execute(f"DESCRIBE {_FOUND}").fetchall()}
    texts = [name for name in sorted(step.json) if name in there]
    _mean(connection, texts)
    left_out = ", ".join(text(name) for name in (*_OURS, *texts, _SENT.strip('"'), _SAID.strip('"')))
    meant = "".join(f", coalesce(m{n}.{_SAID}, f.{quoted(name)})" for n, name in enumerate(texts))
    joins = " ".join(f"LEFT JOIN {_MEANT} m{n} ON m{n}.{_SENT} = f.{quoted(name)}" for n, name in enumerate(texts))
    keys = ", ".join(f"f.{quoted(k)}" for k in step.key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_LOOK} AS SELECT DISTINCT {keys}, f.content_hash, "
        f"hash(*COLUMNS(lambda c: c NOT IN ({left_out})){meant}) AS look FROM {_FOUND} f {joins}"
    )


def _mean(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    """``meant``: what JSON texts say that are not written as we would write them."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_MEANT} ({_SENT} VARCHAR, {_SAID} VARCHAR)")
    for column in columns:
        name = quoted(column)
        texts = f"SELECT DISTINCT {name} FROM {_FOUND} WHERE {name} IS NOT NULL"
        row = connection.execute(f"SELECT count(*) FROM ({texts})").fetchone()
        lots = 1 + (row[0] if row else 0) // _TEXTS
        for lot in range(lots):
            rows = connection.execute(f"{texts} AND hash({name}) % {lots} = {lot}").fetchall()
            pairs = [(sent, canonical(sent)) for (sent,) in rows]
            changed = [pair for pair in pairs if pair[0] != pair[1]]
            sent, meant = [pair[0] for pair in changed], [pair[1] for pair in changed]
            connection.execute(f"INSERT INTO {_MEANT} SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", [sent, meant])
