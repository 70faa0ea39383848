"""A mart that lost commits is told by its tail, and only such a mart."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from schemas.errors import IntegrityError, UsageError
from schemas.records import LoadReport
from schemas.tables.medication import MEDICATION
from stores.commit import commit
from stores.commits import forget, lost_commits, not_back, settle
from stores.mart import Mart
from stores.staging import Stage
from stores.tail import Committed, Settled
from tests.stores.desk import T0, TYPES, Version, at, staged


def _load(mart: Mart, number: int, *, noted: bool = True) -> None:
    """One load of one commit of one file; with or without its note in the tail."""
    report = LoadReport(f"load-{number}", "s", T0, T0, options={"sample": "0.5"})
    stage = Stage(mart.path, report.load_id)
    with mart.connect() as connection:
        commit(connection, staged(stage, [[Version(f"id-{number}")]]), report, TYPES)
        if noted:
            mart.note(connection)
    stage.close()


def _told(mart: Mart) -> list[str]:
    return [entry.load_id for entry in mart.tail.read() if isinstance(entry, Committed)]


@pytest.fixture
def mart(tmp_path: Path) -> Mart:
    made = Mart(tmp_path / "m")
    made.prepare([MEDICATION])
    return made


def test_tail_tells_what_was_committed(mart: Mart) -> None:
    """Each commit once, with its files and options."""
    for number in (1, 2):
        _load(mart, number)
    first, second = mart.tail.read()
    assert isinstance(first, Committed)
    assert isinstance(second, Committed)
    assert (first.load_id, first.number, second.number, first.options) == ("load-1", 1, 2, {"sample": "0.5"})
    (file,) = first.files()
    assert (file.uri, file.start, file.size, file.as_of, file.as_of_given) == ("/in/0.ndjson", 0, 1, T0, False)


def test_crash_before_the_note(mart: Mart) -> None:
    """A commit that a crash kept from the tail is no loss, and is noted by the next that writes."""
    _load(mart, 1)
    _load(mart, 2, noted=False)
    with mart.connect(read_only=True):
        assert _told(mart) == ["load-1"]
    with mart.connect() as connection:
        mart.note(connection)
    assert _told(mart) == ["load-1", "load-2"]


def test_tail_that_is_missing(mart: Mart) -> None:
    """It starts anew, with what the mart has."""
    _load(mart, 1)
    mart.tail.path.unlink()
    with mart.connect() as connection:
        mart.note(connection)
    assert _told(mart) == ["load-1"]


def test_old_copy_is_a_loss(mart: Mart) -> None:
    """An older copy put back lacks commits: whoever opens it is told, in one line, and its log is not touched."""
    _load(mart, 1)
    copy = mart.path.with_name("copy")
    shutil.copy(mart.path, copy)
    for number in (2, 3):
        _load(mart, number)
    shutil.copy(copy, mart.path)
    for read_only in (True, False):
        with pytest.raises(IntegrityError, match=r"2 commits of 2 loads \(load-2, load-3\).*clinmart repair") as caught:
            mart.connect(read_only=read_only).__enter__()
        assert (caught.value.exit_code, "\n" in str(caught.value)) == (4, False)
    with pytest.raises(IntegrityError):
        mart.prepare([MEDICATION])


def test_new_mart_in_the_place_of_a_deleted_one(mart: Mart) -> None:
    """Another mart has another identity, and the first one, moved back, has its own again."""
    _load(mart, 1)
    away = mart.path.rename(mart.path.with_name("away"))
    mart.prepare([MEDICATION])
    _load(mart, 2)
    with mart.connect(read_only=True) as connection:
        assert connection.execute("SELECT load_id FROM etl.commit").fetchall() == [("load-2",)]
    away.replace(mart.path)
    with mart.connect(read_only=True) as connection:
        assert connection.execute("SELECT load_id FROM etl.commit").fetchall() == [("load-1",)]


def test_empty_database_in_the_place_of_a_mart(mart: Mart) -> None:
    """A database that holds nothing, where there was a mart with commits, lost them all; else it is a new one."""
    _load(mart, 1)
    mart.path.unlink()
    duckdb.connect(str(mart.path)).close()
    with pytest.raises(IntegrityError, match="has lost 1 commit of 1 load"):
        mart.prepare([MEDICATION])
    mart.tail.path.unlink()
    mart.prepare([MEDICATION])
    _load(mart, 2)


def test_log_of_a_deleted_mart(mart: Mart) -> None:
    """A new mart does not take up the log of the one that was there before; it is kept aside."""
    mart.wal.write_bytes(b"what a crash left")
    mart.path.unlink()
    mart.prepare([MEDICATION])
    (aside,) = mart.path.parent.glob("m.wal.damaged-*")
    assert aside.read_bytes() == b"what a crash left"


def test_rest_of_a_mart_half_made(mart: Mart) -> None:
    """A crash while a mart was made leaves a file that the next one makes anew, and that nobody takes for a mart."""
    mart.path.rename(mart.path.with_name("m.new"))
    with mart.path.with_name("m.new").open("r+b") as file:
        file.truncate(5000)
    mart.prepare([MEDICATION])
    _load(mart, 1)
    assert sorted(p.name for p in mart.path.parent.iterdir()) == ["m", "m.tail"]


def test_file_damaged(mart: Mart) -> None:
    """A mart whose own blocks are damaged is an integrity error that says what helps; a file that was none is not."""
    _load(mart, 1)
    whole = mart.path.read_bytes()
    for place in (0, 4096 + 8, 3 * 4096 + 500):
        broken = bytearray(whole)
        broken[place : place + 16384] = b"\xee" * 16384
        mart.path.write_bytes(broken)
        with pytest.raises(IntegrityError, match="put a copy of it back"), mart.connect(read_only=True) as connection:
            connection.execute("FROM main.medication").fetchall()
    mart.tail.path.unlink()
    mart.path.write_bytes(b"notes " * 9000)
    with pytest.raises(UsageError, match="no mart"):
        mart.connect(read_only=True).__enter__()


def test_settled_commits_are_lost_no_more(mart: Mart) -> None:
    """What was replayed or given up is known to the mart, in words; the tail keeps a record of what was given up."""
    copy = mart.path.with_name("copy")
    shutil.copy(mart.path, copy)
    for number in (1, 2):
        _load(mart, number)
    shutil.copy(copy, mart.path)
    repairing = Mart(mart.path, repairing=True)
    with repairing.connect() as connection:
        first, second = lost_commits(connection, mart.tail)
        assert [file.uri for file in not_back(connection, first)] == ["/in/0.ndjson"]
        settle(connection, [first], "lost, and replayed by x", at(5))
        forget(connection, mart.tail, [second], at(6))
    with mart.connect(read_only=True) as connection:
        assert connection.execute("SELECT load_id, note FROM etl.commit ORDER BY number").fetchall() == [
            ("load-1", "lost, and replayed by x"),
            ("load-2", "lost, and the loss accepted"),
        ]
        assert connection.execute("SELECT load_id, status FROM etl.load").fetchall() == [("load-2", "lost")]
    *_, settled = mart.tail.read()
    assert isinstance(settled, Settled)
    assert settled.commit_ids == [second.commit_id]
    _load(mart, 3)
    assert _told(mart) == ["load-1", "load-2", "load-3"]


def test_back_means_the_same_bytes_as_late(mart: Mart) -> None:
    """A receipt counts for a lost one when it is of the same bytes, committed since, and seen no earlier."""
    _load(mart, 1)
    (entry,) = mart.tail.read()
    assert isinstance(entry, Committed)
    with mart.connect() as connection:
        assert not_back(connection, entry) == []
        for changed in ("as_of = as_of - INTERVAL 1 SECOND", "committed_at = committed_at - INTERVAL 1 SECOND"):
            connection.execute("BEGIN TRANSACTION")
            connection.execute(f"UPDATE etl.receipt SET {changed}")
            assert not_back(connection, entry) == entry.files()
            connection.execute("ROLLBACK")
