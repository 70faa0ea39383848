"""How far the messages of brokers are in the mart, written in the transaction that brings them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

from schemas.consumed import Consumed, Place
from schemas.records import LoadReport
from stores.quarantine import records

_PLACE = "source = ? AND broker = ? AND place = ? AND partition IS NOT DISTINCT FROM ?"


def save_consumed(
    connection: duckdb.DuckDBPyConnection, consumed: Sequence[Consumed], report: LoadReport, now: datetime
) -> None:
    """Note what a commit takes in of each place, within its transaction. A position never moves back."""
    for one in consumed:
        place = [report.source, one.place.broker, one.place.name, one.place.partition]
        before = connection.execute(f"SELECT messages, next_offset FROM etl.consumer WHERE {_PLACE}", place).fetchone()
        messages, position = before or (0, None)
        reached = max((n for n in (position, one.position) if n is not None), default=None)
        connection.execute(f"DELETE FROM etl.consumer WHERE {_PLACE}", place)
        connection.execute(
            "INSERT INTO etl.consumer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*place, reached, messages + one.messages, one.lag, report.load_id, now],
        )


def positions(connection: duckdb.DuckDBPyConnection, source: str, broker: str) -> dict[Place, int]:
    """Of places whose messages are numbered, the position up to which they are in the mart."""
    rows = connection.execute(
        "SELECT place, partition, next_offset FROM etl.consumer "
        "WHERE source = ? AND broker = ? AND next_offset IS NOT NULL",
        [source, broker],
    ).fetchall()
    return {Place(broker, name, partition): position for name, partition, position in rows}


def consumers(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What was taken in from brokers, by place; nothing in a mart of a version that knew none."""
    there = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'etl' AND table_name = 'consumer'"
    if connection.execute(there).fetchone() is None:
        return []
    return records(
        connection.execute(
            "SELECT source, broker, place, partition, messages, next_offset, lag, updated_at AS last_commit_at "
            "FROM etl.consumer ORDER BY ALL"
        )
    )
