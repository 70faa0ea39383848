"""HL7 v2 messages that listeners took in: each whole, by the name that its sender gave it, and numbered by source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl

from schemas.arrow import Streamed
from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype
from schemas.records import LoadReport
from stores.quarantine import STANDING
from stores.sql import files, text

LISTENED = "mllp:"  # in place of the name of a file; the byte offset is then the number of the message
_KEY = ("sending_application", "sending_facility", "control_id")
_CAME = "~messages"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message to keep. ``key`` is (MSH-3, MSH-4, MSH-10); ``received_at`` has its offset; ``reason`` says why it is
    quarantined, where that is known before its rows are made.
    """

    key: tuple[str, str, str]
    sha256: bytes
    received_at: datetime
    payload: bytes
    number: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the mart knows of a message: SHA-256 of its bytes, and why it is quarantined if it is."""

    sha256: bytes
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A message whose rows are to be made; ``received_at`` is in UTC."""

    number: int
    received_at: datetime
    payload: bytes


def kept_before(
    connection: duckdb.DuckDBPyConnection, source: str, keys: Iterable[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Known]:
    """Those messages of a source that the mart has, by key."""
    frame = pl.DataFrame(list(keys), schema=dict.fromkeys(_KEY, pl.String), orient="row")
    connection.register(_CAME, Streamed(frame))
    try:
        found = connection.execute(
            f'SELECT {", ".join(_KEY)}, sha256, reason FROM etl.message SEMI JOIN "{_CAME}" '
            f"USING ({', '.join(_KEY)}) WHERE source = ?",
            [source],
        ).fetchall()
    finally:
        connection.unregister(_CAME)
    return {
        (application, facility, control): Known(bytes.fromhex(digest), reason)
        for application, facility, control, digest, reason in found
    }


def keep(connection: duckdb.DuckDBPyConnection, source: str, load_id: str, messages: Sequence[KeptMessage]) -> None:
    """Add messages, within the caller's transaction."""
    if not messages:
        return
    rows = [
        {
            "source": source,
            **dict(zip(_KEY, message.key, strict=True)),
            "sha256": message.sha256.hex(),
            "received_at": message.received_at,
            "load_id": load_id,
            "payload": message.payload,
            "number": message.number,
            "reason": message.reason,
        }
        for message in messages
    ]
    schema = {column.name: polars_dtype(column.dtype) for column in BOOKKEEPING["message"]}
    connection.register(_CAME, Streamed(pl.DataFrame(rows, schema=schema)))
    try:
        connection.execute(f'INSERT INTO etl.message BY NAME SELECT * FROM "{_CAME}"')
    finally:
        connection.unregister(_CAME)


def number_all(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[int, int]:
    """Number the messages of a source that a clinmart kept which gave them none; the greatest number, and the one up to
    which rows are made.
    """
    connection.execute(
        "UPDATE etl.message m SET number = n.number FROM (SELECT rowid AS row, "
        "row_number() OVER (ORDER BY received_at, control_id) "
        "+ (SELECT coalesce(max(number), 0) FROM etl.message WHERE source = $source) AS number "
        "FROM etl.message WHERE source = $source AND number IS NULL) n WHERE m.rowid = n.row",
        {"source": source},
    )
    rows = connection.execute(
        "SELECT (SELECT coalesce(max(number), 0) FROM etl.message WHERE source = $source), "
        "(SELECT coalesce(max(settled), 0) FROM etl.listener WHERE source = $source)",
        {"source": source},
    ).fetchall()
    ((last, settled),) = rows
    return last, settled


def latest_accepted(connection: duckdb.DuckDBPyConnection, source: str, most: int) -> list[bytes]:
    """The last messages of a source of which rows were made."""
    rows = connection.execute(
        "SELECT payload FROM etl.message m JOIN etl.listener l ON l.source = m.source AND m.number <= l.settled "
        "WHERE m.source = ? AND reason IS NULL AND number > l.settled - ? AND payload IS NOT NULL",
        [source, most],
    ).fetchall()
    return [payload for (payload,) in rows]


def greatest_numbers(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """By source the greatest number of a message."""
    rows = connection.execute("SELECT source, coalesce(max(number), 0) FROM etl.message GROUP BY 1").fetchall()
    return dict(rows)


def last_received(connection: duckdb.DuckDBPyConnection, source: str) -> str:
    """When the last message of a source that the mart has was received, as text in UTC; empty when it has none."""
    rows = connection.execute(
        "SELECT coalesce(strftime(max(received_at) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'), '') FROM etl.message "
        "WHERE source = ?",
        [source],
    ).fetchall()
    return str(rows[0][0])


def unsettled(connection: duckdb.DuckDBPyConnection, source: str, after: int, most: int) -> list[Unsettled]:
    """Up to so many messages of a source after a number, in the order of their numbers."""
    rows = connection.execute(
        "SELECT number, epoch_us(received_at), payload FROM etl.message "
        "WHERE source = ? AND number > ? AND number <= ? AND payload IS NOT NULL ORDER BY number",
        [source, after, after + most],
    ).fetchall()
    return [Unsettled(number, _EPOCH + timedelta(microseconds=at), payload) for number, at, payload in rows]


def accept_messages(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Note, after a replay, which messages stand in the quarantine no more: within its transaction."""
    connection.execute(
        "UPDATE etl.message SET reason = NULL WHERE source = $source AND reason IS NOT NULL "
        "AND number <= (SELECT max(settled) FROM etl.listener WHERE source = $source) AND number NOT IN "
        f"(SELECT byte_offset FROM etl.quarantine WHERE source = $source AND uri = {text(LISTENED)} "
        f"AND state IN {STANDING})",
        {"source": source},
    )


def settle_messages(
    connection: duckdb.DuckDBPyConnection, report: LoadReport, last: int, rejections: list[str], now: datetime
) -> None:
    """Note, within the transaction that brings their rows in, that those of all messages up to ``last`` are made, and
    which of the messages are refused.
    """
    if rejections:
        connection.execute(
            "UPDATE etl.message m SET reason = r.reason FROM (SELECT byte_offset, min_by(reason, line) AS reason "
            f"FROM read_parquet({files(rejections)}) WHERE uri = {text(LISTENED)} GROUP BY 1) r "
            "WHERE m.source = ? AND m.number = r.byte_offset",
            [report.source],
        )
    connection.execute("DELETE FROM etl.listener WHERE source = ?", [report.source])
    connection.execute("INSERT INTO etl.listener VALUES (?, ?, ?, ?)", [report.source, last, report.load_id, now])


def drop_payloads(connection: duckdb.DuckDBPyConnection, source: str, numbers: Sequence[int]) -> None:
    """Keep of messages about people who were erased only their names, within the caller's transaction."""
    if numbers:
        connection.execute(
            "UPDATE etl.message SET payload = NULL WHERE source = ? AND number IN (SELECT unnest(?))",
            [source, list(numbers)],
        )
