"""Records into a table of ``etl``, typed as its columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import polars as pl

from schemas.arrow import Streamed
from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype
from schemas.records import Counts
from stores.sql import quoted


def insert_records(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert records into the table ``table`` of ``etl``, by the names of its columns."""
    if not rows:
        return
    columns = BOOKKEEPING[table]
    schema = {c.name: polars_dtype(c.dtype) for c in columns}
    frame = pl.DataFrame(rows, schema=schema)
    connection.register("~rows", Streamed(frame))
    try:
        connection.execute(f'INSERT INTO etl.{quoted(table)} BY NAME SELECT * FROM "~rows"')
    finally:
        connection.unregister("~rows")


def counts_rows(resources: Mapping[str, Counts]) -> list[dict[str, object]]:
    """Counts by type as the LIST(STRUCT) that bookkeeping tables hold."""
    return [{"resource_type": name, **c.as_dict()} for name, c in sorted(resources.items())]
