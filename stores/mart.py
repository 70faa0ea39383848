"""The mart: a DuckDB file that is opened only to commit or to look something up, and how it fails."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from schemas.bookkeeping import BOOKKEEPING
from schemas.errors import LockedError, StorageError, UsageError
from schemas.table import Table
from stores.ddl import MART_VERSION, fingerprint, statements
from stores.sql import quoted
from stores.stored import obstacle, stored_columns

_HOLDER = re.compile(r"PID (\d+)")
_SETTINGS = "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false"


class Mart:
    """A mart at ``path``. Connections are short: while one is open no other process can open the file, even to read."""

    def __init__(self, path: Path, *, threads: int | None = None, memory: str = "1GB") -> None:
        self.path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(path.with_name(path.name + ".tmp")),
            # Hospitals have no way out, and nothing may phone out by itself.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if threads:
            self._config["threads"] = threads

    @contextmanager
    def connect(self, *, read_only: bool = False, wait: float = 0.0) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection in UTC. LockedError when another process holds the file for longer than ``wait``
        seconds; UsageError when a database to be read is no mart.
        """
        connection = self._open(read_only, time.monotonic() + wait)
        try:
            connection.execute(_SETTINGS)
            if read_only and mart_version(connection) is None:
                raise self._foreign()
            yield connection
        except duckdb.IOException as error:
            raise StorageError(f"the mart {self.path} cannot be read or written: {_first_line(error)}") from error
        finally:
            connection.close()

    def prepare(self, tables: Sequence[Table], *, wait: float = 0.0) -> None:
        """Make the mart if it is not there, and its views anew if the models changed; refuse what is something else."""
        with self.connect(wait=wait) as connection:
            found = mart_version(connection)
            models = fingerprint(tables)
            if found == MART_VERSION:
                if connection.execute("SELECT models FROM etl.mart").fetchone() != (models,):
                    self._show_anew(connection, tables, models)
                return
            if found is not None:
                raise self._other(f"has layout {found}, this clinmart needs {MART_VERSION}")
            if connection.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT internal").fetchone() != (0,):
                raise self._foreign()
            connection.execute("BEGIN TRANSACTION")
            for statement in statements(tables):
                connection.execute(statement)
            made = [MART_VERSION, datetime.now(UTC), version("clinmart"), models]
            connection.execute("INSERT INTO etl.mart VALUES (?, ?, ?, ?)", made)
            connection.execute("COMMIT")

    def _show_anew(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], models: str) -> None:
        """Make the views anew, for a clinmart of other models than the last; UsageError when that cannot be."""
        stored = stored_columns(connection)
        if (other := obstacle(connection, tables, stored)) is not None:
            raise self._other(other)
        connection.execute("BEGIN TRANSACTION")
        for statement in statements(tables, stored):
            connection.execute(statement)
        for name, columns in BOOKKEEPING.items():
            for column in columns:  # those that are new since the mart was made
                added = f"{quoted(column.name)} {column.dtype}"
                connection.execute(f"ALTER TABLE etl.{quoted(name)} ADD COLUMN IF NOT EXISTS {added}")
        connection.execute("UPDATE etl.mart SET models = ?", [models])
        connection.execute("COMMIT")

    def must_be_possible(self) -> None:
        """StorageError when the mart cannot be made where it was named."""
        if not self.path.parent.is_dir():
            raise StorageError(f"cannot make the mart {self.path}: there is no folder {self.path.parent}")

    def must_exist(self) -> None:
        """UsageError when there is no such mart."""
        if not self.path.exists():
            raise UsageError(f"there is no mart {self.path}: load something into it first")

    def _open(self, read_only: bool, deadline: float) -> duckdb.DuckDBPyConnection:
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=self._config)
            except duckdb.IOException as error:
                said = str(error)
                if "lock" not in said.lower():
                    raise self._unusable(said) from error
                if time.monotonic() >= deadline:
                    holder = _HOLDER.search(said)
                    who = f"process {holder[1]}" if holder else "another process"
                    raise LockedError(
                        f"the mart {self.path} is open in {who}: close it there, or give --wait SECONDS"
                    ) from error
                time.sleep(0.1)
            except duckdb.Error as error:
                raise self._unusable(str(error)) from error

    def _other(self, what: str) -> UsageError:
        return UsageError(f"the mart {self.path} {what}: load into a new mart, or use the clinmart that made it")

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path} is a DuckDB database but not a mart of clinmart: name another file")

    def _unusable(self, said: str) -> StorageError | UsageError:
        if "not a valid DuckDB database" in said or self.path.is_dir():
            what = "a folder" if self.path.is_dir() else "not a DuckDB file"
            return UsageError(f"{self.path} is {what}, so it is no mart: name another file")
        return StorageError(f"the mart {self.path} cannot be opened: {said.splitlines()[0]}")


def mart_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The layout version of a mart; None when the database is none."""
    there = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'etl' AND table_name = 'mart'"
    if connection.execute(there).fetchone() == (0,):
        return None
    row = connection.execute("SELECT max(mart_version) FROM etl.mart").fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
