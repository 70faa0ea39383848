"""What was loaded when, how far each source is, and what was refused."""

from __future__ import annotations

import duckdb

from schemas.records import DISPOSITIONS
from stores.figures.records import Arrival, Lag, Loaded, Refused, Trouble
from stores.quarantine import STANDING, State
from stores.sql import text

_LATEST = 40  # loads that are told one by one
_DAYS = 120  # days that arrivals are told of
_WORST = 12

_SUM = ", ".join(
    f'coalesce(list_sum(list_transform(resources, lambda r: r."{name}")), 0)::BIGINT'
    for name in ("read", *DISPOSITIONS)
)


def loads(connection: duckdb.DuckDBPyConnection) -> tuple[list[Loaded], int]:
    """The latest loads, newest first, and how many there are in all."""
    found = connection.execute(
        f"SELECT load_id, source, coalesce(kind, 'load'), status, started_at, seconds, coalesce(bytes, 0), {_SUM} "
        f"FROM etl.load ORDER BY started_at DESC, load_id DESC LIMIT {_LATEST}"
    ).fetchall()
    told = [
        Loaded(load_id, source, kind, status, began, seconds, size, read, dict(zip(DISPOSITIONS, counts, strict=True)))
        for load_id, source, kind, status, began, seconds, size, read, *counts in found
    ]
    return told, _number(connection, "SELECT count(*) FROM etl.load")


def arrivals(connection: duckdb.DuckDBPyConnection) -> list[Arrival]:
    """Dispositions by day of load, oldest first; days without loads are left out."""
    sums = ", ".join(
        f'coalesce(sum(list_sum(list_transform(resources, lambda r: r."{name}"))), 0)::BIGINT' for name in DISPOSITIONS
    )
    found = connection.execute(
        f"SELECT started_at::DATE AS day, {sums} FROM etl.load GROUP BY 1 ORDER BY 1 DESC LIMIT {_DAYS}"
    ).fetchall()
    return [Arrival(day, dict(zip(DISPOSITIONS, counts, strict=True))) for day, *counts in reversed(found)]


def lags(connection: duckdb.DuckDBPyConnection) -> list[Lag]:
    """How far each source is, by type."""
    found = connection.execute(
        "SELECT source, resource_type, event_watermark, read_cursor, settled_watermark - to_seconds(lateness_seconds) "
        "FROM etl.watermark ORDER BY source, resource_type"
    ).fetchall()
    return [Lag(*row) for row in found]


def refused(connection: duckdb.DuckDBPyConnection) -> list[Refused]:
    """Lines that still stand in the quarantine, by reason and place, most first."""
    found = connection.execute(
        "SELECT reason, resource_type, column_name, check_name, count(*) AS lines, "
        f"count(*) FILTER (state = {text(State.DEAD)}), min(quarantined_at) FROM etl.quarantine "
        f"WHERE state IN {STANDING} GROUP BY ALL ORDER BY lines DESC, reason, resource_type, column_name, check_name"
    ).fetchall()
    return [Refused(*row) for row in found]


def worst_files(connection: duckdb.DuckDBPyConnection) -> list[Trouble]:
    """The files with the most refused lines, named by load and number, as names of files may tell of patients."""
    found = connection.execute(
        "WITH file AS (SELECT load_id, uri, sum(lines)::BIGINT AS lines, "
        "row_number() OVER (PARTITION BY load_id ORDER BY uri) AS number FROM etl.receipt GROUP BY load_id, uri) "
        "SELECT q.load_id, file.number, any_value(q.resource_type), count(*) AS refused, any_value(file.lines) "
        f"FROM etl.quarantine q LEFT JOIN file USING (load_id, uri) WHERE q.state IN {STANDING} "
        f"GROUP BY q.load_id, q.uri, file.number ORDER BY refused DESC, q.load_id, file.number LIMIT {_WORST}"
    ).fetchall()
    return [
        Trouble("file", f"file {number} of the load" if number else "a file", f"{load_id}, {kind}", rows, lines)
        for load_id, number, kind, rows, lines in found
    ]


def worst_findings(connection: duckdb.DuckDBPyConnection) -> list[Trouble]:
    """What was found most often in rows that were taken in."""
    found = connection.execute(
        "SELECT resource_type, coalesce(path, ''), finding, coalesce(code, ''), sum(coalesce(rows, 1))::BIGINT AS n "
        f"FROM etl.validation GROUP BY ALL ORDER BY n DESC, resource_type, 2, 3, 4 LIMIT {_WORST}"
    ).fetchall()
    return [
        Trouble("finding", f"{finding}: {code}" if code else finding, f"{kind} {path}".strip(), rows)
        for kind, path, finding, code, rows in found
    ]


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])
