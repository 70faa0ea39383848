"""The mart's tables as Parquet for readers that should not hold the mart: written aside, then put in place at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from schemas.errors import StorageError, UsageError
from schemas.table import Table
from stores.newer_refused import refused_rows
from stores.sql import quoted, text

_MARKER = "_clinmart.json"
REFUSED_FILE = "_newer_refused.parquet"


def is_published(folder: Path) -> bool:
    """Whether clinmart published it."""
    return (folder / _MARKER).exists()


def publish_parquet(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: Sequence[Table] | None
) -> dict[str, int]:
    """Write every table and view of schema ``main`` that has rows as ``<table>.parquet`` into ``folder``; rows by
    table; ``tables`` are the models, None for a copy for analysts, which has no quarantine.

    ``_newer_refused.parquet`` names the rows of which a newer version stands in the quarantine. The folder is replaced
    by renaming: a reader sees the old one or the new one. A folder that was not published by clinmart is refused
    (UsageError), so that nothing of the user's is ever removed.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not is_published(folder))):
        raise UsageError(f"{folder} is not a folder that clinmart published: name a new one")
    fresh = folder.with_name(f"{folder.name}.new-{os.getpid()}")
    old = folder.with_name(f"{folder.name}.old-{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        rows = {name: _write(connection, name, fresh) for name in _names(connection)}
        if tables is not None:
            to = text(str(fresh / REFUSED_FILE))
            connection.execute(f"COPY ({refused_rows(tables)}) TO {to} (FORMAT parquet)")
        (fresh / _MARKER).write_text('{"made_by": "clinmart publish"}\n')
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot publish to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return {name: number for name, number in rows.items() if number}


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    query = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'main' AND table_catalog = current_database() ORDER BY table_name"
    )
    return [name for (name,) in connection.execute(query).fetchall()]


def _write(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> int:
    row = connection.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchone()
    number = 0 if row is None else int(row[0])
    if number:
        path = text(str(folder / f"{name}.parquet"))
        connection.execute(f"COPY (FROM main.{quoted(name)}) TO {path} (FORMAT parquet, COMPRESSION zstd)")
    return number
