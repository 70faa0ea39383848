"""The mart's tables as Parquet for readers that should not hold the mart: written aside, then put in place at once."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from schemas.errors import StorageError, UsageError
from schemas.table import Table
from stores.keys import Key
from stores.newer_refused import refused_rows
from stores.published import MARKER, config, marker_by, marker_of, use_key
from stores.sql import quoted, text

REFUSED_FILE = "_newer_refused.parquet"


def is_published(folder: Path) -> bool:
    """Whether clinmart published it."""
    return marker_of(folder) is not None


def publish_parquet(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    tables: Sequence[Table] | None,
    key: Key | None = None,
    mart: Path | None = None,
) -> dict[str, int]:
    """Write every table and view of schema ``main`` that has rows as ``<table>.parquet`` into ``folder``; rows by
    table; ``tables`` are the models, None for a copy for analysts, which has no quarantine. ``key``: encrypt the files
    by this key of the keyring of ``mart``.

    ``_newer_refused.parquet`` names the rows of which a newer version stands in the quarantine. The folder is replaced
    by renaming: a reader sees the old one or the new one. It is its owner's alone, unless the one before it had another
    mode. A folder that was not published by clinmart is refused (UsageError), so that nothing of the user's is ever
    removed.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not is_published(folder))):
        raise UsageError(f"{folder} is not a folder that clinmart published: name a new one")
    fresh = folder.with_name(f"{folder.name}.new-{os.getpid()}")
    old = folder.with_name(f"{folder.name}.old-{os.getpid()}")
    try:
        mode = stat.S_IMODE(folder.stat().st_mode) if folder.exists() else 0o700
        fresh.mkdir(parents=True, mode=0o700)
        rows = {path.stem: number for path, number in write_tables(connection, fresh, tables, key)}
        (fresh / MARKER).write_text(marker_by(key, mart).encode())
        for file in fresh.iterdir():
            file.chmod(mode & 0o666)
        fresh.chmod(mode)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot publish to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return {name: number for name, number in rows.items() if f"{name}.parquet" != REFUSED_FILE}


def write_tables(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: Sequence[Table] | None, key: Key | None = None
) -> Iterator[tuple[Path, int]]:
    """Write the files of a snapshot into ``folder``, one by one, with the number of their rows; see
    :func:`publish_parquet`. The last is :data:`REFUSED_FILE`, if there are models.
    """
    if key is not None:
        use_key(connection, key)
    for name in _names(connection):
        if number := _write(connection, name, folder, key):
            yield folder / f"{name}.parquet", number
    if tables is not None:
        path = folder / REFUSED_FILE
        to = text(str(path))
        connection.execute(f"COPY ({refused_rows(tables)}) TO {to} (FORMAT parquet{config(key)})")
        yield path, 0


def published_at(folder: Path) -> datetime:
    """When a folder was last published. Raises OSError."""
    return datetime.fromtimestamp((folder / MARKER).stat().st_mtime, UTC)


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    query = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'main' AND table_catalog = current_database() ORDER BY table_name"
    )
    return [name for (name,) in connection.execute(query).fetchall()]


def _write(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, key: Key | None) -> int:
    row = connection.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchone()
    number = 0 if row is None else int(row[0])
    if number:
        path = text(str(folder / f"{name}.parquet"))
        how = f"FORMAT parquet, COMPRESSION zstd{config(key)}"
        connection.execute(f"COPY (FROM main.{quoted(name)}) TO {path} ({how})")
    return number
