"""HL7 v2 messages that listeners took in: each whole, by the name that its sender gave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype

_KEY = ("sending_application", "sending_facility", "control_id")
_CAME = "~messages"


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message to keep. ``key`` is (MSH-3, MSH-4, MSH-10); ``received_at`` has its offset."""

    key: tuple[str, str, str]
    sha256: bytes
    received_at: datetime
    payload: bytes


def kept_before(
    connection: duckdb.DuckDBPyConnection, source: str, keys: Iterable[tuple[str, str, str]]
) -> dict[tuple[str, str, str], bytes]:
    """SHA-256 of those messages of a source that the mart has, by key."""
    frame = pl.DataFrame(list(keys), schema=dict.fromkeys(_KEY, pl.String), orient="row")
    connection.register(_CAME, frame.to_arrow())
    try:
        found = connection.execute(
            f'SELECT {", ".join(_KEY)}, sha256 FROM etl.message SEMI JOIN "{_CAME}" USING ({", ".join(_KEY)}) '
            "WHERE source = ?",
            [source],
        ).fetchall()
    finally:
        connection.unregister(_CAME)
    return {(application, facility, control): bytes.fromhex(digest) for application, facility, control, digest in found}


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
        }
        for message in messages
    ]
    schema = {column.name: polars_dtype(column.dtype) for column in BOOKKEEPING["message"]}
    connection.register(_CAME, pl.DataFrame(rows, schema=schema).to_arrow())
    try:
        connection.execute(f'INSERT INTO etl.message BY NAME SELECT * FROM "{_CAME}"')
    finally:
        connection.unregister(_CAME)
