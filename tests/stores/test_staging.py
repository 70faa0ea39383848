"""The staging area stands beside the mart, private, and is gone when its load is."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import StorageError
from schemas.records import Rejection
from stores.staging import Stage, clean_staging, quarantine_id, staging_root
from stores.step import STAGE_ROW

SEEN = datetime(2024, 1, 1, tzinfo=UTC)

REFUSED = Rejection("/in/a", 7, 70, "Unknown", None, "malformed_json", None, None, "No JSON.", b"\xff{", 2)


def rows(*ids: str) -> pl.DataFrame:
    """Rows of these ids, each a day later than the one before."""
    times = [datetime(2024, 1, day + 1, tzinfo=UTC) for day in range(len(ids))]
    return pl.DataFrame({"id": ids, "last_updated": times})


def test_the_types_of_deletes_are_told(tmp_path: Path) -> None:
    """Deletes of all types stand in one file, numbered with the other rows; none, no file."""
    stage = Stage(tmp_path / "mart", "load")
    mixed = rows("a", "b", "c").with_columns(resource_type=pl.Series(["Y", "X", "Y"]))
    (made,) = stage.write_deletes(mixed)
    (other,) = stage.write_tables({"t": mixed})
    assert (made.table, made.types, made.rows, other.types) == ("tombstone", ("X", "Y"), 3, ())
    numbers = pl.concat([pl.read_parquet(one.path)[STAGE_ROW] for one in (made, other)])
    assert numbers.n_unique() == 6
    assert stage.write_deletes(mixed.clear()) == stage.write_deletes(None) == []


def test_rows_are_numbered_across_files(tmp_path: Path) -> None:
    """No two staged rows of a load have the same number, from however many threads they come."""
    stage = Stage(tmp_path / "mart", "load")
    frame = rows("a", "b", "c")
    with ThreadPoolExecutor(4) as pool:
        made = [t for tables in pool.map(lambda _: stage.write_tables({"t": frame}), range(20)) for t in tables]
    assert {t.rows for t in made} == {3}
    numbers = pl.concat([pl.read_parquet(t.path) for t in made])[STAGE_ROW]
    assert numbers.n_unique() == 60


def test_folder_is_private(tmp_path: Path) -> None:
    """What is staged holds patient data: only its owner may look."""
    Stage(tmp_path / "mart", "load").write_tables({"t": rows("a")})
    (folder,) = staging_root(tmp_path / "mart").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_close_removes_only_its_own(tmp_path: Path) -> None:
    """A load removes its folder, and the root with the last of them."""
    mart = tmp_path / "mart"
    one, two = Stage(mart, "one"), Stage(mart, "two")
    one.close()
    assert [p.name for p in staging_root(mart).iterdir()] == ["two"]
    two.close()
    assert list(tmp_path.iterdir()) == []


def test_clean_removes_what_the_dead_left(tmp_path: Path) -> None:
    """Files of a load that died are gone after cleaning; cleaning nothing is harmless."""
    mart = tmp_path / "mart"
    Stage(mart, "dead").write_tables({"t": rows("a")})
    clean_staging(mart)
    clean_staging(mart)
    assert list(tmp_path.iterdir()) == []


def test_discard(tmp_path: Path) -> None:
    """Discarded files are gone, also when they were before."""
    stage = Stage(tmp_path / "mart", "load")
    (kept,), (gone,) = (stage.write_tables({"t": rows("a")}) for _ in range(2))
    stage.discard([gone.path, gone.path])
    assert Path(kept.path).exists()
    assert not Path(gone.path).exists()


def test_rejections_keep_the_bytes(tmp_path: Path) -> None:
    """A refused line is kept byte for byte; no rejections make no file."""
    stage = Stage(tmp_path / "mart", "load")
    assert stage.write_rejections("s", [], SEEN) == []
    (path,) = stage.write_rejections("s", [REFUSED], SEEN)
    (row,) = pl.read_parquet(path).rows(named=True)
    assert (row["payload"], row["payload_bytes"], row["line"], row["byte_offset"]) == (b"\xff{", 2, 7, 70)
    assert row["quarantine_id"] == quarantine_id("s", REFUSED)


def test_quarantine_id_tells_lines_apart() -> None:
    """The name of a refused line depends on source, file, line and payload, and on nothing else."""
    names = [
        quarantine_id("s", REFUSED),
        quarantine_id("t", REFUSED),
        quarantine_id("s/in", replace(REFUSED, uri="/a")),
        quarantine_id("s", replace(REFUSED, line=8)),
        quarantine_id("s", replace(REFUSED, payload=b"{")),
    ]
    assert len(set(names)) == len(names)
    assert quarantine_id("s", replace(REFUSED, message="other", code="no_id")) == names[0]


def test_no_room_is_a_storage_error(tmp_path: Path) -> None:
    """A staging folder that cannot be made, or written, is said to be so."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="staging folder"):
        Stage(tmp_path / "file" / "mart", "load")
    stage = Stage(tmp_path / "mart", "load")
    stage.close()
    with pytest.raises(StorageError, match="cannot write the staged file"):
        stage.write_tables({"t": rows("a")})


def test_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told in the system's words."""

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    stage = Stage(tmp_path / "mart", "load")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match=r"parquet: No space left on device$"):
        stage.write_tables({"t": rows("a")})


def test_only_the_owner_may_look_whatever_the_umask(tmp_path: Path) -> None:
    """Folders 0700, files 0600."""
    before = os.umask(0)
    try:
        stage = Stage(tmp_path / "mart", "load")
        stage.write_tables({"t": rows("a")})
        stage.write_fhir([("Patient", b"{}")])
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in staging_root(tmp_path / "mart").rglob("*") if path.is_file()}
    assert modes == {0o600}
    for folder in (staging_root(tmp_path / "mart"), stage.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_file_that_cannot_be_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and fails nothing: what is committed is committed."""
    stage = Stage(tmp_path / "m", "load")
    (stage.folder / "folder").mkdir()
    (stage.folder / "file").write_bytes(b"x")
    stage.discard([str(stage.folder / "folder"), str(stage.folder / "file")])
    assert not (stage.folder / "file").exists()
    assert "could not be removed" in caplog.text
