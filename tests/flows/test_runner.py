"""A load in this process: commit units, failures in the middle, and what it tells its watcher."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from flows.runner import Progress, run_load
from flows.settings import LoadSettings
from schemas.errors import StorageError
from schemas.tables import all_tables
from sources.memory import MemorySource
from sources.source import ReadLimits
from stores.commit import CommitMade, commit
from stores.mart import Mart
from tests.flows.inputs import contents, medication, query
from transforms.sample import Sampling

FILES = {f"{name}.ndjson": medication(name) + b"\n" + medication("shared", name) + b"\n" for name in "abcdef"}


def _settings(folder: Path, **more: object) -> LoadSettings:
    return LoadSettings(folder / "m", "s", sampling=Sampling(0), **more)  # type: ignore[arg-type] # any field


BESIDE = ["m", "m.audit", "m.keys", "m.lock", "m.tail"]  # what a load leaves


def test_units_do_not_matter(tmp_path: Path) -> None:
    """One commit or one for each file, large chunks or tiny ones, one thread or many: the same mart."""
    marts = []
    for number, (unit, chunk, jobs) in enumerate(((1 << 30, 1 << 20, 1), (1, 1 << 20, 2), (200, 100, 3))):
        folder = tmp_path / str(number)
        folder.mkdir()
        source = MemorySource(FILES, ReadLimits(chunk_bytes=chunk))
        report = run_load(source, _settings(folder, unit_bytes=unit, jobs=jobs))
        total = report.total()
        assert (total.read, total.applied + total.superseded + total.duplicate) == (12, 12)
        marts.append(contents(folder / "m"))
        assert sorted(p.name for p in folder.iterdir()) == BESIDE
        assert query(folder / "m", "SELECT count(*) FROM etl.receipt") == [(6,)]
    assert marts[0] == marts[1] == marts[2]
    assert len(marts[0]["main.medication"]) == 7
    assert len(marts[0]["history.medication"]) == 5


def test_failed_commit_keeps_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the third commit fails the first two stand, nothing of it does, the stage is clean; a re-run completes."""
    calls: list[int] = []

    def third_fails(connection: duckdb.DuckDBPyConnection, *rest: object) -> CommitMade:
        calls.append(1)
        if len(calls) == 3:
            raise duckdb.OutOfMemoryException("a value of a patient")
        return commit(connection, *rest)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr("flows.session.commit", third_fails)
    settings = _settings(tmp_path, unit_bytes=1)
    with pytest.raises(StorageError, match="rolled back") as caught:
        run_load(MemorySource(FILES), settings)
    assert "a value" not in str(caught.value)
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(2,)]
    assert query(tmp_path / "m", "SELECT count(*) FROM medication") == [(3,)]
    assert sorted(p.name for p in tmp_path.iterdir()) == BESIDE
    report = run_load(MemorySource(FILES), settings)
    assert report.total().duplicate >= 4
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(6,)]
    assert query(tmp_path / "m", "SELECT status FROM etl.load ORDER BY started_at") == [("running",), ("ok",)]


def test_staged_rows_are_not_visible(tmp_path: Path) -> None:
    """Until the commit a mart shows none of what is staged, and is not held."""
    Mart(tmp_path / "m").prepare(all_tables())
    seen = []

    def watch(now: Progress) -> None:
        if now.phase == "committing":
            seen.append((now.rows, query(tmp_path / "m", "SELECT count(*) FROM medication")))

    run_load(MemorySource(FILES), _settings(tmp_path), watch)
    assert seen
    assert seen[0] == (12, [(0,)])


def test_watcher_sees_the_end(tmp_path: Path) -> None:
    """Progress ends with all bytes done, and counts what was refused."""
    last: list[tuple[int, int, int]] = []
    files = {**FILES, "z.ndjson": b"{\n"}
    run_load(MemorySource(files), _settings(tmp_path), lambda p: last.append((p.done, p.total, p.quarantined)))
    size = sum(map(len, files.values()))
    assert last[-1] == (size, size, 1)


def test_mart_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new mart is made while the first chunks are worked on; an error in it ends the load, and leaves no stage."""

    def broken(*_: object, **__: object) -> None:
        raise StorageError("no room for it")

    monkeypatch.setattr(Mart, "prepare", broken)
    with pytest.raises(StorageError, match="no room for it"):
        run_load(MemorySource(FILES), _settings(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.audit", "m.keys", "m.lock"]
