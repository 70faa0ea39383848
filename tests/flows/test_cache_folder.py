"""Where what only saves time is kept."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from flows.runner import run_load
from flows.settings import LoadSettings, cache_folder
from sources.files import FileSource


@pytest.mark.parametrize(
    ("told", "base", "folder"),
    [
        ("/x/y", "/c", "/x/y"),
        ("", "/c", None),
        (None, "/c", "/c/clinmart"),
        (None, None, "/home/who/.cache/clinmart"),
        (None, "", "/home/who/.cache/clinmart"),
        (None, "not/absolute", None),
    ],
)
def test_the_folder(monkeypatch: pytest.MonkeyPatch, told: str | None, base: str | None, folder: str | None) -> None:
    """The user's word first, then the cache of the system, then that in the home folder; an empty word: none."""
    monkeypatch.setenv("HOME", "/home/who")
    for name, value in (("CLINMART_CACHE", told), ("XDG_CACHE_HOME", base)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert cache_folder() == (None if folder is None else Path(folder))


def test_a_load_makes_its_mart_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first load keeps an empty mart, without a row; the second takes a copy of it, and loads the same."""
    (tmp_path / "in.ndjson").write_text('{"resourceType":"Patient","id":"a"}\n')
    monkeypatch.setenv("CLINMART_CACHE", str(tmp_path / "cache"))
    for name in ("one", "two"):
        run_load(FileSource([tmp_path / "in.ndjson"]), LoadSettings(tmp_path / name, "s"))
    (kept,) = (tmp_path / "cache").iterdir()
    with duckdb.connect(str(kept), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM patient").fetchone() == (0,)
        assert connection.execute("SELECT sum(estimated_size) FROM duckdb_tables()").fetchone() == (0,)
    for name in ("one", "two"):
        with duckdb.connect(str(tmp_path / name), read_only=True) as connection:
            assert connection.execute("SELECT id FROM patient").fetchall() == [("a",)]
            assert connection.execute("SELECT count(*) FROM etl.mart").fetchone() == (1,)
