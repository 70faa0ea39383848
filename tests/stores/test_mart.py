"""The mart's file: made once, refused when it is something else, and short connections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from schemas.errors import LockedError, StorageError, UsageError
from schemas.tables import all_tables
from stores.ddl import MART_VERSION
from stores.identity import mart_version
from stores.mart import Mart

_HOLD = (
    "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'r'); "
    "print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def _held(path: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open until its stdin ends."""
    command = [sys.executable, "-c", _HOLD, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_prepare_is_repeatable(tmp_path: Path) -> None:
    """A mart is made once; preparing it again changes nothing."""
    mart = Mart(tmp_path / "mart")
    for _ in range(2):
        mart.prepare(all_tables())
        with mart.connect(read_only=True) as connection:
            assert connection.execute("SELECT count(*), max(mart_version) FROM etl.mart").fetchall() == [
                (1, MART_VERSION)
            ]
            assert mart_version(connection) == MART_VERSION


def test_all_tables_are_there(tmp_path: Path) -> None:
    """Every model is a table of main and of history, with its columns and types."""
    mart = Mart(tmp_path / "mart")
    mart.prepare(all_tables())
    with mart.connect(read_only=True) as connection:
        for table in all_tables():
            for schema, more in (("main", []), ("history", ["superseded_by"])):
                described = connection.execute(f'DESCRIBE {schema}."{table.name}"').fetchall()
                assert [row[0] for row in described] == table.column_names() + more


def test_connection_is_in_utc(tmp_path: Path) -> None:
    """Times are read in UTC, wherever the machine stands."""
    with Mart(tmp_path / "mart").connect() as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """DuckDB may not install or load extensions by itself."""
    with Mart(tmp_path / "mart").connect() as connection:
        settings = "SELECT value FROM duckdb_settings() WHERE name LIKE 'auto%_known_extensions'"
        assert connection.execute(settings).fetchall() == [("false",), ("false",)]


def test_other_layout_is_refused(tmp_path: Path) -> None:
    """A mart of another layout is left alone."""
    mart = Mart(tmp_path / "mart")
    mart.prepare([])
    with mart.connect() as connection:
        connection.execute("UPDATE etl.mart SET mart_version = 99")
    with pytest.raises(UsageError, match="layout 99"):
        mart.prepare([])


def test_foreign_database_is_refused(tmp_path: Path) -> None:
    """A DuckDB database with tables that are not ours gets none of ours."""
    with duckdb.connect(str(tmp_path / "theirs")) as connection:
        connection.execute("CREATE TABLE precious (x INTEGER)")
    with pytest.raises(UsageError, match="not a mart"):
        Mart(tmp_path / "theirs").prepare(all_tables())
    with duckdb.connect(str(tmp_path / "theirs")) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("precious",)]


@pytest.mark.parametrize("content", [b"hello, I am a text file " * 400, b"PAR1" + bytes(9000), b"x"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is named as such and stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no mart") as caught:
        Mart(path).prepare([])
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_folder_is_no_mart(tmp_path: Path) -> None:
    """A folder given for the mart is a usage error."""
    with pytest.raises(UsageError, match="is a folder"):
        Mart(tmp_path).prepare([])


def test_missing_places(tmp_path: Path) -> None:
    """No mart to look at, no folder to make one in: each says what is missing."""
    with pytest.raises(UsageError, match="there is no mart"):
        Mart(tmp_path / "mart").must_exist()
    with pytest.raises(StorageError, match="there is no folder"):
        Mart(tmp_path / "no" / "mart").must_be_possible()


@pytest.mark.parametrize(("theirs", "read_only"), [("w", False), ("w", True), ("r", False)])
def test_open_elsewhere(tmp_path: Path, theirs: str, read_only: bool) -> None:
    """A mart that another process has open is locked: the message names the process; after a wait it opens."""
    mart = Mart(tmp_path / "mart")
    mart.prepare([])
    with _held(mart.path, theirs) as other:
        with pytest.raises(LockedError, match=f"open in process {other.pid}") as caught:
            mart.connect(read_only=read_only).__enter__()
        assert "\n" not in str(caught.value)
        assert other.stdin is not None
        other.stdin.close()
        with mart.connect(read_only=read_only, wait=60) as connection:
            assert mart_version(connection) == MART_VERSION
