"""The quarantine: what was refused, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

import duckdb

from schemas.records import VIEW_CHECK

_LISTED = "quarantine_id, source, resource_type, resource_id, reason, column_name, uri, line, quarantined_at, state"


class State(StrEnum):
    """What became of a refused line."""

    OPEN = "open"
    REPLAYED = "replayed"  # a replay took it in
    REPLACED = "replaced"  # a corrected line was loaded for it
    DEAD = "dead"  # given up: replays refused it too often


STANDING = f"('{State.OPEN}', '{State.DEAD}')"  # SQL: no row was made of it yet
SETTLED = f"('{State.REPLAYED}', '{State.REPLACED}')"


def by_reason(connection: duckdb.DuckDBPyConnection, source: str | None = None) -> list[dict[str, Any]]:
    """How many lines still stand for each reason, and how many of them were given up, most first."""
    query = (
        f"SELECT reason, resource_type, count(*) AS lines, count(*) FILTER (state = 'dead') AS dead "
        f"FROM etl.quarantine WHERE state IN {STANDING} "
        "AND ($source IS NULL OR source = $source) GROUP BY ALL ORDER BY lines DESC, reason"
    )
    return records(connection.execute(query, {"source": source}))


def entries(
    connection: duckdb.DuckDBPyConnection,
    *,
    reason: str | None = None,
    source: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Refused lines without their payload, newest first."""
    query = (
        f"SELECT {_LISTED} FROM etl.quarantine WHERE ($reason IS NULL OR reason = $reason) "
        "AND ($source IS NULL OR source = $source) AND ($state IS NULL OR state = $state) "
        "ORDER BY quarantined_at DESC, uri, line LIMIT $limit"
    )
    return records(connection.execute(query, {"reason": reason, "source": source, "state": state, "limit": limit}))


def entry(connection: duckdb.DuckDBPyConnection, quarantine_id: str) -> dict[str, Any] | None:
    """One refused line with its payload; None unless exactly one id begins like this."""
    found = records(
        connection.execute("SELECT * FROM etl.quarantine WHERE starts_with(quarantine_id, ?) LIMIT 2", [quarantine_id])
    )
    return found[0] if len(found) == 1 and quarantine_id else None


def refused_by_views(connection: duckdb.DuckDBPyConnection, source: str, uris: Collection[str]) -> dict[str, int]:
    """How many lines of these files stand in the quarantine because of a view of the mart alone, by view."""
    if not uris:
        return {}
    counts = connection.execute(
        f"SELECT check_name, count(*) FROM etl.quarantine WHERE source = ? AND state IN {STANDING} "
        f"AND starts_with(check_name, '{VIEW_CHECK}') AND uri IN (SELECT unnest(?)) GROUP BY 1",
        [source, sorted(uris)],
    ).fetchall()
    return {check.removeprefix(VIEW_CHECK): lines for check, lines in counts}


def records(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rows of a result by column name."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
