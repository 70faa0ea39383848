"""Published Parquet: put in place at once, and never over somebody else's folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import stores.publish as subject
from schemas.errors import StorageError, UsageError
from schemas.tables.medication import MEDICATION
from stores.publish import publish_parquet
from tests.stores.desk import Desk, Version, at


def test_tables_become_files(desk: Desk, tmp_path: Path) -> None:
    """Every table with rows is a file with the same rows and columns; empty ones are none."""
    desk.load([Version(status="active"), Version("b"), Version(type="Flag")])
    assert publish_parquet(desk.connection, tmp_path / "out", [MEDICATION]) == {"medication": 2, "resource": 1}
    files = {p.name for p in (tmp_path / "out").iterdir()}
    assert files == {"medication.parquet", "resource.parquet", "_clinmart.json", "_newer_refused.parquet"}
    frame = pl.read_parquet(tmp_path / "out" / "medication.parquet").sort("id")
    assert frame["status"].to_list() == ["active", None]
    assert frame.columns == desk.connection.table("medication").columns


def test_published_again_replaces_all(desk: Desk, tmp_path: Path) -> None:
    """The second time the folder holds the new state only, and nothing is left beside it."""
    out = tmp_path / "out"
    desk.load([Version(version_id="1"), Version(type="Flag")])
    publish_parquet(desk.connection, out, [MEDICATION])
    desk.connection.execute("DELETE FROM stored.resource")
    desk.load([Version(version_id="2", time=at(1))])
    publish_parquet(desk.connection, out, [MEDICATION])
    assert pl.read_parquet(out / "medication.parquet")["version_id"].to_list() == ["2"]
    assert not (out / "resource.parquet").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == ["out"]


def test_failure_leaves_the_old_folder(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while writing leaves what was published before, whole, and no rest of the new."""
    out = tmp_path / "out"
    desk.load([Version()])
    publish_parquet(desk.connection, out, [MEDICATION])
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subject, "_write", full)
    with pytest.raises(StorageError, match="No space left"):
        publish_parquet(desk.connection, out, [MEDICATION])
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == ["out"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_foreign_folder_is_refused(desk: Desk, tmp_path: Path, kind: str) -> None:
    """A folder with something of the user's, or a file, is not touched."""
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    else:
        out.write_text("years of work")
    with pytest.raises(UsageError, match="not a folder that clinmart published"):
        publish_parquet(desk.connection, out, [MEDICATION])
    assert (out / "thesis.tex" if kind == "folder" else out).read_text() == "years of work"


def test_empty_folder_is_taken(desk: Desk, tmp_path: Path) -> None:
    """An empty folder may be published to; quotes in its name are data."""
    out = tmp_path / "it's mine"
    out.mkdir()
    desk.load([Version()])
    assert publish_parquet(desk.connection, out, [MEDICATION]) == {"medication": 1}
    assert pl.read_parquet(out / "medication.parquet").height == 1
