"""For notebooks: ``open_mart("my.duckdb")["observation"]`` is a lazy Polars frame, with times in UTC.

A DuckDB file that is open in one process cannot be written by another, so the mart is open only while a frame is
collected, and waits for a load that is committing. A folder of ``clinmart publish`` is read as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
from polars.io.plugins import register_io_source

from flows.keyring import keys_of, mart_at
from schemas.errors import UsageError
from schemas.table import Table
from schemas.tables import all_tables
from stores.keys import Purpose
from stores.newer_refused import NEWER_REFUSED, flagged
from stores.publish import REFUSED_FILE, is_published
from stores.published import Marker, config, marker_of, use_key
from stores.sql import quoted, text

_PATIENCE = 60.0  # seconds to wait for a commit
_BATCH = 122_880  # rows


def open_mart(path: str | Path, *, wait: float = _PATIENCE) -> OpenMart | PublishedMart | SealedMart:
    """The mart at ``path``: a DuckDB file, or a folder that ``clinmart publish`` wrote.

    ``mart.tables`` names its tables and views, ``mart["patient"]`` is one as a LazyFrame, ``mart.sql(...)`` a
    DataFrame. Tables of resources have a column ``newer_refused``: true where a version of the row that came later,
    or with the same load, stands in the quarantine. Raises UsageError when there is no mart.
    """
    at = Path(path)
    if not at.is_dir():
        return OpenMart(at, wait)
    marker = marker_of(at)
    return SealedMart(at, marker) if marker is not None and marker.key_id is not None else PublishedMart(at)


class OpenMart:
    """A DuckDB file, opened for as long as each question takes."""

    def __init__(self, path: Path, wait: float) -> None:
        self.path = path
        self._mart, self._wait = mart_at(path), wait
        self._mart.must_exist()
        self._resources = {table.name: table for table in all_tables()}

    @property
    def tables(self) -> list[str]:
        """Names of the tables and views of schema ``main``."""
        found = self.sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' "
            "AND table_catalog = current_database() ORDER BY 1"
        )
        return found["table_name"].to_list()

    def sql(self, query: str) -> pl.DataFrame:
        """What DuckDB answers, whole."""
        with self._mart.connect(read_only=True, wait=self._wait) as connection:
            return pl.DataFrame(pl.from_arrow(_asked(connection, query).to_arrow_table()))

    def __getitem__(self, table: str) -> pl.LazyFrame:
        """A table or view, read when the frame is collected: only the columns and as many rows as are asked for."""
        source = self._query(table)
        schema = self.sql(f"SELECT * FROM ({source}) LIMIT 0").schema

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
        ) -> Iterator[pl.DataFrame]:
            wanted = ", ".join(map(quoted, columns)) if columns else "*"
            limit = f" LIMIT {rows}" if rows is not None and predicate is None else ""
            with self._mart.connect(read_only=True, wait=self._wait) as connection:
                found = _asked(connection, f"SELECT {wanted} FROM ({source}){limit}")
                for part in found.to_arrow_reader(batch or _BATCH):
                    frame = pl.DataFrame(pl.from_arrow(part))
                    yield frame if predicate is None else frame.filter(predicate)

        return register_io_source(read, schema=schema)

    def _query(self, table: str) -> str:
        if table not in self.tables:
            raise _unknown(table, self.tables)
        resource: Table | None = self._resources.get(table)
        return f"FROM main.{quoted(table)}" if resource is None else flagged(resource)


class PublishedMart:
    """A folder of ``clinmart publish``."""

    def __init__(self, folder: Path) -> None:
        if not is_published(folder):
            raise UsageError(f"{folder} is not a folder that clinmart published: name a mart or such a folder")
        self._folder = folder

    @property
    def tables(self) -> list[str]:
        """Names of the tables that have rows."""
        return sorted(file.stem for file in self._folder.glob("*.parquet") if file.name != REFUSED_FILE)

    def sql(self, query: str) -> pl.DataFrame:
        """What Polars answers, which knows each table by its name."""
        return pl.SQLContext({table: self[table] for table in self.tables}).execute(query, eager=True)

    def __getitem__(self, table: str) -> pl.LazyFrame:
        """A table or view, read when the frame is collected."""
        if table not in self.tables:
            raise _unknown(table, self.tables)
        frame = pl.scan_parquet(self._folder / f"{table}.parquet")
        if not {"source", "id", "load_id"} <= set(frame.collect_schema().names()):
            return frame
        refused = pl.scan_parquet(self._folder / REFUSED_FILE).filter(pl.col("table_name") == table)
        marked = refused.select("source", "id", pl.lit(True).alias(NEWER_REFUSED))
        return frame.join(marked, on=["source", "id"], how="left").with_columns(pl.col(NEWER_REFUSED).fill_null(False))


class SealedMart:
    """A folder that ``clinmart publish`` wrote of an encrypted mart; read by DuckDB, with the mart's keyring."""

    def __init__(self, folder: Path, marker: Marker) -> None:
        key = keys_of(Path(marker.mart or folder)).find(marker.key_id or "", Purpose.DATABASE)
        self.tables = sorted(file.stem for file in folder.glob("*.parquet") if file.name != REFUSED_FILE)
        self._connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        self._connection.execute("SET TimeZone = 'UTC'")
        use_key(self._connection, key)
        how = config(key, reading=True)
        refused = f"read_parquet({text(str(folder / REFUSED_FILE))}{how})"
        for table in self.tables:
            query = f"FROM read_parquet({text(str(folder / f'{table}.parquet'))}{how})"
            columns = {name for name, *_ in self._connection.execute(f"DESCRIBE {query}").fetchall()}
            if {"source", "id", "load_id"} <= columns:
                marked = f"SELECT source, id FROM {refused} WHERE table_name = {text(table)}"
                query = f"SELECT *, (source, id) IN ({marked}) AS {NEWER_REFUSED} {query}"
            self._connection.execute(f"CREATE VIEW {quoted(table)} AS {query}")

    def sql(self, query: str) -> pl.DataFrame:
        """What DuckDB answers, whole."""
        return pl.DataFrame(pl.from_arrow(_asked(self._connection, query).to_arrow_table()))

    def __getitem__(self, table: str) -> pl.LazyFrame:
        """A table or view, read whole."""
        if table not in self.tables:
            raise _unknown(table, self.tables)
        return self.sql(f"FROM {quoted(table)}").lazy()


def _asked(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    connection.complete()  # what was asked while it was opened
    return connection.sql(query)


def _unknown(table: str, tables: list[str]) -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415 - only for the message

    near = get_close_matches(table, tables, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return UsageError(f"the mart has no table {table[:60]!r}{hint}")
