"""The list of those who were erased: tokens by source, and what a load must know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from schemas.errors import IntegrityError
from schemas.suppression import PERSON, Suppression

if TYPE_CHECKING:
    from stores.keys import Keys

_CAME = "~tokens"
_COLUMNS = {"source": pl.String, "resource_type": pl.String, "token": pl.Binary}


def suppression_of(
    connection: duckdb.DuckDBPyConnection, source: str, secret: Callable[[str], bytes]
) -> Suppression | None:
    """What of a source must not be loaded; None when nobody of it was erased, and then no key is asked for.

    ``secret`` gives the key of an id. Raises IntegrityError when that is not to be had: without it people who were
    erased would come back.
    """
    rows = connection.execute("SELECT key_id, token FROM etl.suppression WHERE source = ?", [source]).fetchall()
    by_key: dict[str, set[bytes]] = defaultdict(set)
    for key_id, token in rows:
        by_key[key_id].add(bytes(token))
    if not by_key:
        return None
    return Suppression(source, tuple((secret(key_id), frozenset(tokens)) for key_id, tokens in sorted(by_key.items())))


def listed_at(connection: duckdb.DuckDBPyConnection, source: str) -> datetime | None:
    """When somebody of a source was last listed: files that were loaded before are to be read again."""
    row = connection.execute("SELECT max(listed_at) FROM etl.suppression WHERE source = ?", [source]).fetchone()
    return None if row is None else row[0]


def list_tokens(
    connection: duckdb.DuckDBPyConnection,
    erasure_id: str,
    key_id: str,
    tokens: Iterable[tuple[str, str, bytes]],
    now: datetime,
) -> int:
    """Add tokens (source, resource type, token) that are not listed yet; how many. Within the caller's transaction."""
    frame = pl.DataFrame(sorted(set(tokens)), schema=_COLUMNS, orient="row")
    connection.register(_CAME, frame.to_arrow())
    try:
        row = connection.execute(
            "INSERT INTO etl.suppression BY NAME SELECT t.*, $key AS key_id, $erasure AS erasure_id, "
            f'$now AS listed_at FROM "{_CAME}" t ANTI JOIN (FROM etl.suppression WHERE key_id = $key) s '
            "USING (source, resource_type, token)",
            {"key": key_id, "erasure": erasure_id, "now": now},
        ).fetchone()
    finally:
        connection.unregister(_CAME)
    return 0 if row is None else int(row[0])


def pending_erasure(connection: duckdb.DuckDBPyConnection, patients: Collection[bytes]) -> str | None:
    """An erasure that was not brought to its end and was of none but these patients, by their tokens; else None."""
    rows = connection.execute(
        "SELECT erasure_id, list(token) FROM etl.erasure JOIN etl.suppression USING (erasure_id) "
        f"WHERE status = 'pending' AND resource_type = '{PERSON}' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    mine = {bytes(one) for one in patients}
    return next((name for name, tokens in rows if {bytes(one) for one in tokens} <= mine), None)


def secrets_of(keys: Keys) -> list[bytes]:
    """All keys that tokens may have been made with."""
    from stores.keys import Purpose  # noqa: PLC0415 - late

    return [key.secret for key in keys.all_of(Purpose.SUPPRESS)]


def no_key(key_id: str, error: Exception) -> IntegrityError:
    """The error for a key of the list that is not to be had."""
    return IntegrityError(
        f"people were erased from this mart, and the key {key_id} that keeps them out is not to be had ({error}): "
        "give the mart's keys with --keys"
    )
