"""The empty mart that new ones are copied from."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from schemas.tables import all_tables
from stores import mart as made_here
from stores.mart import Mart

NAMES = "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
TABLES = "SELECT schema_name, table_name, sql FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"


def made(path: Path, moulds: Path | None) -> tuple[object, ...]:
    """Make a mart: what it holds, and its identity."""
    Mart(path, moulds=moulds).prepare(all_tables()[:2])
    with duckdb.connect(str(path), read_only=True) as connection:
        held = connection.execute(NAMES).fetchall(), connection.execute(TABLES).fetchall()
        return held, connection.execute("SELECT mart_version, models FROM etl.mart").fetchall()


def identity(path: Path) -> str:
    """The identity of a mart."""
    with duckdb.connect(str(path), read_only=True) as connection:
        ((found,),) = connection.execute("SELECT mart_id FROM etl.mart").fetchall()
        return str(found)


def unmakeable(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no mart can be made from nothing."""
    monkeypatch.setattr(made_here, "layout", lambda _: ["no such statement"])


def test_a_copy_is_a_mart_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second mart is a copy: the same tables and views, another identity, nothing left beside it."""
    first = made(tmp_path / "a", tmp_path / "moulds")
    fingerprint = made_here.fingerprint(all_tables()[:2])
    monkeypatch.setattr(made_here, "fingerprint", lambda _: fingerprint)
    unmakeable(monkeypatch)
    assert made(tmp_path / "b", tmp_path / "moulds") == first
    assert identity(tmp_path / "a") != identity(tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "moulds"]
    assert made(tmp_path / "a", None) == first


@pytest.mark.parametrize("harm", ["cut", "changed", "folder"])
def test_a_damaged_one_is_not_taken(tmp_path: Path, harm: str) -> None:
    """One that is not as it was kept is passed over and made anew."""
    moulds = tmp_path / "moulds"
    first = made(tmp_path / "a", moulds)
    (kept,) = moulds.iterdir()
    whole = kept.read_bytes()
    if harm == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        kept.write_bytes(whole[:-4096] if harm == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert made(tmp_path / "b", moulds) == first


def test_a_folder_holds_one(tmp_path: Path) -> None:
    """That of other models takes the place of the one that was kept."""
    moulds = tmp_path / "moulds"
    Mart(tmp_path / "a", moulds=moulds).prepare(all_tables()[:1])
    (one,) = moulds.iterdir()
    Mart(tmp_path / "b", moulds=moulds).prepare(all_tables()[:2])
    (other,) = moulds.iterdir()
    assert one != other


def test_where_none_can_be_kept_marts_are_made_all_the_same(tmp_path: Path) -> None:
    """A folder that is a file, and no folder at all."""
    (tmp_path / "file").write_text("")
    assert made(tmp_path / "a", tmp_path / "file") == made(tmp_path / "b", None)
