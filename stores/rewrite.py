"""A mart's file made anew without some of its rows: DuckDB keeps what was deleted in the blocks of the old one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from schemas.errors import IntegrityError, StorageError
from stores.sql import quoted
from stores.tail import sync_folder

Place = tuple[str, str]  # schema and table
ROW = "~at"  # of rows that are read whole: their rowid
FRESH = "fresh"  # what the new file is called while it is attached
_GONE, _ROWS, _CHOSEN = '"~gone"', "~rows", "~chosen"
_ROOM = 1.2  # times the size of the file, which the new one may take with what is written beside it


@dataclass(slots=True)
class Change:
    """What becomes of a table: rows (by rowid) that go, and rows that are replaced by those of ``fresh``."""

    gone: set[int] = field(default_factory=set)
    replaced: set[int] = field(default_factory=set)
    fresh: list[pl.DataFrame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was checked: tables, rows that are the same in both files, and SHA-256 over the hashes of their rows."""

    tables: int
    rows: int
    sha256: str


def whole_rows(connection: duckdb.DuckDBPyConnection, place: Place, at: Collection[int]) -> pl.DataFrame:
    """Rows by rowid, which stands in ``~at``."""
    name = f"{place[0]}.{quoted(place[1])}"
    with choosing(connection, at) as chosen:
        relation = connection.sql(f"SELECT rowid AS {quoted(ROW)}, * FROM {name} WHERE rowid IN {chosen}")
        frame = pl.from_arrow(relation.to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


@contextmanager
def choosing(connection: duckdb.DuckDBPyConnection, at: Collection[int]) -> Iterator[str]:
    """The rowids as what stands after IN, however many."""
    rows = pl.DataFrame({"row": pl.Series(sorted(at), dtype=pl.Int64)})
    connection.register(_CHOSEN, rows.to_arrow())
    try:
        yield f'(FROM "{_CHOSEN}")'
    finally:
        connection.unregister(_CHOSEN)


def rows_without(connection: duckdb.DuckDBPyConnection, place: Place, at: Collection[int], column: str) -> pl.DataFrame:
    """Rows by rowid, with nothing in one column."""
    frame = whole_rows(connection, place, at).drop(ROW)
    return frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))


def must_have_room(mart: Path) -> None:
    """StorageError when the disk has no room for a second copy of the mart."""
    try:
        need, free = int(mart.stat().st_size * _ROOM), shutil.disk_usage(mart.parent).free
    except OSError as error:
        raise StorageError(f"cannot look at the mart {mart}: {error.strerror}") from error
    if free < need:
        raise StorageError(
            f"the mart is written anew beside {mart}, which takes {need:,} bytes, and {free:,} are free: make room"
        )


def rewrite(connection: duckdb.DuckDBPyConnection, changes: Mapping[Place, Change]) -> Rewritten:
    """Copy the open mart without what goes into an empty database that is attached as ``fresh``.

    Every table is compared: what stays has the same number of rows, and the same hash over all of them. Raises
    IntegrityError when one differs, and what DuckDB raises.
    """
    ((old,),) = connection.execute("SELECT current_database()").fetchall()
    connection.execute("SET preserve_insertion_order = true")  # rows of a load stay together
    connection.execute(f"COPY FROM DATABASE {quoted(old)} TO {FRESH} (SCHEMA)")
    digest, tables, rows = hashlib.sha256(), 0, 0
    for schema, table in _tables(connection, old):
        change = changes.get((schema, table), Change())
        name = f"{quoted(schema)}.{quoted(table)}"
        kept = f"{quoted(old)}.{name}"
        if change.gone or change.replaced:
            _note(connection, change)
            kept = f"(SELECT * FROM {kept} WHERE rowid NOT IN (SELECT row FROM {_GONE}))"
        elif connection.execute(f"SELECT 1 FROM {kept} LIMIT 1").fetchone() is None:
            tables += 1
            continue
        connection.execute(f"INSERT INTO {FRESH}.{name} FROM {kept}")
        count, value = _same(connection, kept, f"{FRESH}.{name}", f"{schema}.{table}")
        for frame in change.fresh:
            connection.register(_ROWS, frame.to_arrow())
            connection.execute(f'INSERT INTO {FRESH}.{name} BY NAME FROM "{_ROWS}"')
            connection.unregister(_ROWS)
        digest.update(f"{schema}.{table} {count} {value}\n".encode())
        tables, rows = tables + 1, rows + count
    return Rewritten(tables, rows, digest.hexdigest())


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring all of the new file to disk, and let go of it."""
    connection.execute(f"CHECKPOINT {FRESH}")
    connection.execute(f"DETACH {FRESH}")


def put_in_place(fresh: Path, mart: Path) -> None:
    """Put the new file in place of the mart's, which no one has open: a crash leaves one or the other, whole.

    Raises StorageError.
    """
    try:
        descriptor = os.open(fresh, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.chmod(mart.stat().st_mode & 0o777)
        mart.with_name(mart.name + ".wal").unlink(missing_ok=True)  # it was brought into the file that goes
        fresh.replace(mart)
        sync_folder(mart.parent)
    except OSError as error:
        raise StorageError(f"the mart {mart} cannot be replaced: {error.strerror}") from error


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[Place]:
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT temporary ORDER BY ALL",
        [database],
    ).fetchall()
    return [(schema, table) for schema, table in rows]


def _note(connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    with choosing(connection, change.gone | change.replaced) as chosen:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_GONE} AS FROM {chosen} g")


def _same(connection: duckdb.DuckDBPyConnection, kept: str, fresh: str, shown: str) -> tuple[int, str]:
    before, after = (
        connection.execute(f"SELECT count(*), coalesce(bit_xor(hash(o)), 0), coalesce(sum(hash(o)), 0) FROM {one} o")
        .fetchall()[0]
        for one in (kept, fresh)
    )  # fmt: skip
    if before != after:
        raise IntegrityError(
            f"the new file of the mart has {after[0]:,} rows of {shown}, not the {before[0]:,} that it should, or "
            "others: the mart is as it was; run the command again, and look at the disk if this comes back"
        )
    return int(before[0]), f"{before[1]} {before[2]}"


@contextmanager
def using_fresh(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Names without a database are those of the new file."""
    ((old,),) = connection.execute("SELECT current_database()").fetchall()
    connection.execute(f"USE {FRESH}")
    try:
        yield
    finally:
        connection.execute(f"USE {quoted(old)}")
