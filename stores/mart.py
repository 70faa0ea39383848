"""The mart: a DuckDB file that is opened only to commit or to look something up, and how it fails."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import duckdb

from schemas.errors import LockedError, StorageError, UsageError
from schemas.table import Table
from stores.commits import note_commits, refuse_loss
from stores.database import (
    ATTACHED,
    BUNDLED,
    Config,
    attach_another,
    has_openssl,
    is_encrypted,
    open_encrypted,
    open_plain,
)
from stores.ddl import MART_VERSION
from stores.heard import Heard
from stores.identity import mart_version
from stores.keys import Key, Keys, Purpose, open_keys
from stores.layout import fingerprint, layout
from stores.mart_faults import damaged, foreign, is_damage, other_layout, unusable
from stores.migrate import BOOKKEEPING_SCHEMA, lost, migrate, retyped
from stores.mould import Mould
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH
from stores.stored import obstacle, stored_columns
from stores.tail import Tail, sync_folder

_LOG = logging.getLogger(__name__)
_HOLDER = re.compile(r"PID (\d+)")
# What a disk that is full or fails comes to, anywhere in a transaction and after it.
_DISK = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
)
_SETTINGS = "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false"


class Mart:
    """A mart at ``path``. Connections are short: while one is open no other process can open the file, even to read.

    Each compares the mart with the tail beside it, and refuses one that lost commits, unless ``repairing``.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        memory: str = "1GB",
        repairing: bool = False,
        moulds: Path | None = None,
        checkpoint: str | None = None,
        keys: Callable[[], Keys] | None = None,
        encrypt: bool = False,
    ) -> None:
        """``moulds``: the folder of the empty mart that a new one is copied from. ``checkpoint``: the size of the log
        at which DuckDB brings it into the file, during which nothing else is committed. ``keys`` opens the keyring, and
        is called for an encrypted mart alone; None: the one beside the mart. ``encrypt``: a mart that is made now.
        """
        self.path = path
        self._keys = keys or (lambda: open_keys(None, path))
        self._encrypt = encrypt
        self._moulds = moulds
        self.tail = Tail(path)
        self.heard = Heard(path)
        self.committing = threading.Lock()  # of the sessions that share the mart: one commits rows at a time
        self._repairing = repairing
        self._guard = threading.Condition()
        self._shared: duckdb.DuckDBPyConnection | None = None  # open while any thread has the mart open
        self._shared_to_read = False
        self._sharing = 0
        self._config: Config = {
            "memory_limit": memory,
            "temp_directory": str(path.with_name(path.name + ".tmp")),
            # Hospitals have no way out, and nothing may phone out by itself.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if checkpoint:
            self._config["checkpoint_threshold"] = checkpoint
        if threads:
            self._config["threads"] = threads

    @contextmanager
    def connect(self, *, read_only: bool = False, wait: float = 0.0) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection in UTC. Threads that open the same ``Mart`` share the database.

        Raises LockedError when another process holds the file for longer than ``wait`` seconds, IntegrityError when
        the mart is damaged or has lost commits, StorageError when disk or system fail, also within the block, and
        UsageError when a database to be read is no mart.
        """
        deadline = time.monotonic() + wait
        if not read_only and not self._repairing and self.wal.exists():
            # To open a mart for writing removes the log that a crash left, and what could still be got out of it.
            with self._opened(True, deadline):
                pass
        with self._opened(read_only, deadline) as connection:
            if read_only and mart_version(connection) is None:
                raise foreign(self.path)
            yield connection

    @contextmanager
    def _opened(self, read_only: bool, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._cursor(read_only, deadline)
        try:
            connection.execute(_SETTINGS)
            if self.is_encrypted:
                connection.execute(f"USE {ATTACHED}")
            if not self._repairing:
                refuse_loss(connection, self.tail, self.path)
                self.heard.refuse_loss(connection)
            yield connection
        except _DISK as error:
            raise StorageError(f"the mart {self.path} cannot be read or written: {_first_line(error)}") from error
        except duckdb.Error as error:
            if is_damage(str(error)):
                raise damaged(self.path) from error
            raise
        finally:
            connection.close()
            self._leave()

    def _cursor(self, read_only: bool, deadline: float) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the database that is open already, or is opened now."""
        with self._guard:
            if not read_only:  # one that can only be read is open for a moment
                self._guard.wait_for(lambda: self._shared is None or not self._shared_to_read)
            if self._shared is None:
                self._shared, self._shared_to_read = self._open(read_only, deadline), read_only
            self._sharing += 1
            return self._shared.cursor()

    def _leave(self) -> None:
        with self._guard:
            self._sharing -= 1
            if not self._sharing and self._shared is not None:
                shared, self._shared = self._shared, None
                self._guard.notify_all()
                shared.close()

    @property
    def is_encrypted(self) -> bool:
        """Whether the mart is encrypted, or will be once it is made."""
        return is_encrypted(self.path) if self.path.exists() else self._encrypt

    def attach(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
        """Attach a new database beside this one, encrypted as it is, by the newest key."""
        attach_another(connection, path, name, self.database_key())

    def database_key(self) -> Key | None:
        """The key that new files of the mart are encrypted by; None where it is not encrypted."""
        return self._keys().current(Purpose.DATABASE) if self.is_encrypted else None

    @property
    def wal(self) -> Path:
        """DuckDB's write-ahead log, which is there while the mart is written to and after a crash."""
        return self.path.with_name(self.path.name + ".wal")

    def note(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Note in the tail the commits that it lacks; only for the holder of the loader's lock."""
        note_commits(connection, self.tail, compact=not self._repairing)

    def prepare(self, tables: Sequence[Table], *, wait: float = 0.0) -> None:
        """Make the mart if it is not there, and its views anew if the models changed; refuse what is something else.

        Only for the holder of the loader's lock.
        """
        if not self.path.exists():
            self._make(tables)
            return
        if self._encrypt and not self.is_encrypted:
            raise UsageError(f"the mart {self.path} is there and not encrypted: --encrypt is for a new mart, name one")
        with self.connect(wait=wait) as connection:
            found = mart_version(connection)
            models = fingerprint(tables)
            if found == MART_VERSION:
                if connection.execute("SELECT models FROM etl.mart").fetchone() != (models,):
                    self._show_anew(connection, tables, models)
                return
            if found is not None:
                raise other_layout(self.path, f"has layout {found}, this clinmart needs {MART_VERSION}")
            if connection.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT internal").fetchone() != (0,):
                raise foreign(self.path)
            connection.execute("BEGIN TRANSACTION")
            _lay_out(connection, tables)
            _name(connection, models)
            connection.execute("COMMIT")

    def _make(self, tables: Sequence[Table]) -> None:
        """Make the mart aside, then put it in place: a crash leaves a whole mart or none, never a file that is neither.

        What a crash left of an earlier one's log would be read into the new one; it is kept under another name.
        """
        aside = self.path.with_name(self.path.name + ".new")
        fresh = Mart(aside, repairing=True, keys=self._keys, encrypt=self._encrypt)
        try:
            for left in (fresh.path, fresh.wal):
                left.unlink(missing_ok=True)
            models = fingerprint(tables)
            # An encrypted mart is no copy of another: its key is its own.
            mould = Mould(None if self._encrypt else self._moulds, f"{MART_VERSION}-{models}-{duckdb.__version__}")
            if not mould.pour(fresh.path):
                with fresh.connect() as connection:
                    _lay_out(connection, tables)
                    connection.execute("CHECKPOINT")
                mould.keep(fresh.path)
            with fresh.connect() as connection:
                _name(connection, models)
                connection.execute("CHECKPOINT")
                if self._encrypt and not has_openssl(connection):
                    _LOG.warning("%s", BUNDLED)
            fresh.path.chmod(0o600)
            if self.wal.exists():
                self.wal.rename(self.wal_aside())
            fresh.path.rename(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StorageError(f"cannot make the mart {self.path}: {error.strerror}") from error

    def wal_aside(self) -> Path:
        """A name for a log that DuckDB shall not see."""
        return self.wal.with_name(f"{self.wal.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")

    def _show_anew(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], models: str) -> None:
        """Bring a mart that a clinmart of other models made to these; UsageError when something would be lost."""
        stored = stored_columns(connection, (STORED, STORED_HISTORY, STORED_PATCH, BOOKKEEPING_SCHEMA))
        changes = retyped(tables, stored)
        if (other := obstacle(connection, tables) or lost(connection, changes)) is not None:
            raise other_layout(self.path, other)
        connection.execute("BEGIN TRANSACTION")
        done = migrate(connection, changes, stored)
        for statement in layout(tables, stored):
            connection.execute(statement)
        connection.execute("UPDATE etl.mart SET models = ?", [models])
        connection.execute("COMMIT")
        if done:
            _LOG.warning("the mart %s was made by another version; brought to this one: %s", self.path, ", ".join(done))

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
                if self.is_encrypted:
                    return open_encrypted(self.path, self._config, self._keys(), read_only=read_only)
                return open_plain(self.path, self._config, read_only=read_only)
            except duckdb.IOException as error:
                said = str(error)
                if "lock" not in said.lower():
                    raise unusable(self.path, self.tail, said) from error
                if time.monotonic() >= deadline:
                    holder = _HOLDER.search(said)
                    who = f"process {holder[1]}" if holder else "another process"
                    raise LockedError(
                        f"the mart {self.path} is open in {who}: close it there, or give --wait SECONDS"
                    ) from error
                time.sleep(0.1)
            except duckdb.Error as error:
                raise unusable(self.path, self.tail, str(error)) from error


def _lay_out(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Give an empty database the tables and views of a mart."""
    for statement in layout(tables):
        connection.execute(statement)


def _name(connection: duckdb.DuckDBPyConnection, models: str) -> None:
    """Make a database with the tables of a mart this one mart."""
    made = [MART_VERSION, datetime.now(UTC), version("clinmart"), models, uuid4().hex]
    connection.execute("INSERT INTO etl.mart VALUES (?, ?, ?, ?, ?)", made)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
