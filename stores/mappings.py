"""Which mappings explained the extracts of a mart, in what order, so that rows can be made again by the same."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl

from schemas.arrow import Streamed
from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype
from schemas.mapping.mapping import Mapping
from schemas.mapping.numbered import Numbered

_LATEST = (
    "SELECT entry, number, sha256, uri, text FROM etl.mapping WHERE source = ? "
    "QUALIFY row_number() OVER (PARTITION BY entry ORDER BY number DESC) = 1 ORDER BY entry"
)


def numbered(connection: duckdb.DuckDBPyConnection | None, source: str, mapping: Mapping) -> Numbered:
    """The mapping with the numbers of its entries: that of the last one if it said the same, else one more.

    ``connection`` is None where there is no mart yet.
    """
    rows = [] if connection is None else connection.execute(_LATEST, [source]).fetchall()
    last = {entry: (number, sha256) for entry, number, sha256, _, _ in rows}
    numbers = []
    for entry in mapping.entries:
        number, sha256 = last.get(entry.name, (0, ""))
        numbers.append((entry.name, number if sha256 == entry.digest else number + 1))
    return Numbered(mapping, tuple(numbers))


def save_mapping(
    connection: duckdb.DuckDBPyConnection, used: Numbered, source: str, load_id: str, now: datetime
) -> None:
    """Keep the entries that are new; inside a transaction."""
    numbers = dict(used.numbers)
    rows = [
        (source, entry.name, numbers[entry.name], entry.digest, used.mapping.uri, used.mapping.text, load_id, now)
        for entry in used.mapping.entries
        if entry.name in numbers
    ]
    schema = {c.name: polars_dtype(c.dtype) for c in BOOKKEEPING["mapping"]}
    connection.register("~mappings", Streamed(pl.DataFrame(rows, schema=schema, orient="row")))
    try:
        connection.execute(
            'INSERT INTO etl.mapping BY NAME SELECT * FROM "~mappings" n ANTI JOIN '
            "(SELECT source, entry, number FROM etl.mapping) k USING (source, entry, number)"
        )
    finally:
        connection.unregister("~mappings")


def kept_mappings(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str, str]]:
    """The last of each entry of a source: its name, and uri and text of the file that it stood in."""
    return [(entry, uri, text) for entry, _, _, uri, text in connection.execute(_LATEST, [source]).fetchall()]
