"""Tables hold the columns that ever had data; readers see all columns of the models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest

import stores.commit as commit_module
import tests.stores.desk as desk_module
from schemas.errors import UsageError
from schemas.table import Column, Table
from schemas.tables.medication import MEDICATION
from stores.ddl import HISTORY_COLUMNS
from stores.mart import Mart
from stores.stored import stored_columns
from stores.views import add_view
from tests.stores.desk import Desk, Version, at, frames

_IDENTITY = {"source", "id", "version_id", "last_updated", "last_updated_nanos", "load_id", "content_hash"}


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def _stored(desk: Desk) -> dict[tuple[str, str], set[str]]:
    return {table: set(columns) for table, columns in stored_columns(desk.connection).items()}


def test_nothing_is_stored_before_data(desk: Desk) -> None:
    """A new mart has all views, empty, and no table of a type."""
    assert _stored(desk) == {}
    for schema, more in (("main", []), ("history", [c.name for c in HISTORY_COLUMNS])):
        assert _described(desk.connection, f"{schema}.medication") == MEDICATION.column_names() + more
        assert desk.connection.execute(f"FROM {schema}.medication").fetchall() == []
    assert desk.connection.execute("FROM main.medication_ingredient").fetchall() == []


def test_columns_come_with_their_first_data(desk: Desk) -> None:
    """A column is stored from its first value on; earlier rows have null in it, and readers see no difference."""
    desk.load([Version("a")])
    assert _stored(desk) == {("stored", "medication"): _IDENTITY}
    desk.load([Version("b", status="active")])
    assert _stored(desk) == {("stored", "medication"): {*_IDENTITY, "status"}}
    desk.load([Version("c")])
    assert _described(desk.connection, "main.medication") == MEDICATION.column_names()
    rows = desk.connection.execute("SELECT id, status, form FROM main.medication ORDER BY id").fetchall()
    assert rows == [("a", None, None), ("b", "active", None), ("c", None, None)]


def test_files_of_one_commit_differ(desk: Desk) -> None:
    """What one file has and another has not is stored for both."""
    desk.load([Version("a")], [Version("b", status="active")])
    assert desk.connection.execute("SELECT id, status FROM main.medication ORDER BY id").fetchall() == [
        ("a", None),
        ("b", "active"),
    ]


def test_history_grows_with_its_rows(desk: Desk) -> None:
    """History is stored from the first earlier version on, and takes columns that came later."""
    desk.load([Version(version_id="1")])
    assert ("stored_history", "medication") not in _stored(desk)
    desk.load([Version(version_id="2", time=at(1))])
    assert _stored(desk)["stored_history", "medication"] == {*_IDENTITY, "superseded_by"}
    desk.load([Version(version_id="3", time=at(2), status="active")])
    desk.load([Version(version_id="4", time=at(3))])
    assert _described(desk.connection, "history.medication") == [*MEDICATION.column_names(), "superseded_by"]
    rows = "SELECT version_id, status, form FROM history.medication ORDER BY version_id"
    assert desk.connection.execute(rows).fetchall() == [("1", None, None), ("2", None, None), ("3", "active", None)]
    assert desk.connection.execute("SELECT version_id, status FROM main.medication").fetchall() == [("4", None)]


def test_version_comes_back_with_its_columns(desk: Desk) -> None:
    """What returns from history has what it had."""
    older, newer = Version(body="x", status="active"), Version(body="y", time=at(1))
    desk.load([older])
    desk.load([newer])
    desk.load([replace(older, time=at(2))])
    assert desk.connection.execute("SELECT status FROM main.medication").fetchall() == [("active",)]
    assert desk.connection.execute("SELECT status FROM history.medication").fetchall() == [(None,)]


def test_parts_are_seen_when_they_come(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view of a repeated part shows the items of the rows that have any."""
    desk.load([Version("a")])
    assert desk.connection.execute("SELECT count(*) FROM main.medication_ingredient").fetchall() == [(0,)]
    _load_ingredient(desk, monkeypatch)
    rows = desk.connection.execute("SELECT id, ordinal, is_active FROM main.medication_ingredient").fetchall()
    assert rows == [("b", 1, True)]


def _load_ingredient(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_ingredient(versions: list[Version]) -> dict[str, pl.DataFrame]:
        made = frames(versions)["medication"]
        return {"medication": made.with_columns(ingredients=pl.Series([[{"is_active": True}]]))}

    monkeypatch.setattr(desk_module, "frames", with_ingredient)
    desk.load([Version("b")])


def test_views_of_people_live_on(desk: Desk) -> None:
    """A view that somebody made over a table is as good after the table grew."""
    desk.load([Version("a")])
    desk.connection.execute("CREATE VIEW main.mine AS SELECT * FROM main.medication")
    desk.load([Version("b", status="active")])
    assert desk.connection.execute("SELECT id, status FROM main.mine ORDER BY id").fetchall() == [
        ("a", None),
        ("b", "active"),
    ]


def _with(table: Table, column: Column) -> Table:
    """The model with a column in front of its others."""
    element = replace(table.elements[0], columns=(column,))
    return replace(table, elements=(element, *table.elements))


def _filled(path: Path) -> Mart:
    mart = Mart(path / "mart.duckdb")
    mart.prepare([MEDICATION])
    with mart.connect() as connection:
        Desk(path, connection, made=True).load([Version("a", status="active"), Version("a", body="y", time=at(-1))])
    return mart


def test_new_column_needs_no_migration(tmp_path: Path) -> None:
    """A clinmart with a column more shows it, empty, in the marts of one without; and the other way round."""
    mart = _filled(tmp_path)
    newer = _with(MEDICATION, Column("colour", "VARCHAR", "Its colour."))
    for models in (newer, MEDICATION):
        mart.prepare([models])
        with mart.connect(read_only=True) as connection:
            assert _described(connection, "main.medication") == models.column_names()
            assert _described(connection, "history.medication") == [*models.column_names(), "superseded_by"]
            assert connection.execute("SELECT id, status FROM main.medication").fetchall() == [("a", "active")]
            assert connection.execute("SELECT count(*) FROM history.medication").fetchall() == [(1,)]
            assert connection.execute("SELECT count(*) FROM etl.mart").fetchall() == [(1,)]


def test_other_type_is_refused(tmp_path: Path) -> None:
    """A stored column whose type the model changed is not read as something else: the mart is left as it is."""
    mart = _filled(tmp_path)
    status = next(e for e in MEDICATION.elements if e.name == "status")
    changed = replace(status, columns=(replace(status.columns[0], dtype="BIGINT"),))
    models = replace(MEDICATION, elements=tuple(changed if e is status else e for e in MEDICATION.elements))
    with pytest.raises(UsageError, match=r"another type for medication\.status"):
        mart.prepare([models])
    mart.prepare([MEDICATION])


def test_view_in_the_way_is_told(tmp_path: Path) -> None:
    """A user's view that is called like a table of a newer clinmart is not replaced."""
    mart = Mart(tmp_path / "mart.duckdb")
    mart.prepare([])
    with mart.connect() as connection:
        add_view(connection, "Medication", "Medication", "{}", [Column("x", "VARCHAR", "Anything.")])
    with pytest.raises(UsageError, match="has a view 'Medication'"):
        mart.prepare([MEDICATION])


def test_failed_commit_stores_no_column(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and columns are made in the commit's transaction, and go with it."""

    def broken(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("no room")

    with monkeypatch.context() as patched:
        patched.setattr(commit_module, "save_load", broken)
        with pytest.raises(duckdb.OutOfMemoryException):
            desk.load([Version("a", status="active")])
    assert _stored(desk) == {}
    assert desk.connection.execute("FROM main.medication").fetchall() == []
