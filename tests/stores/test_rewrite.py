"""A database made anew without some rows: what stays is the same, and a difference is never put in place."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from schemas.errors import IntegrityError
from stores.rewrite import FRESH, Change, detach, put_in_place, rewrite, whole_rows


@pytest.fixture
def old(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """Two tables, one of them empty, and a view."""
    connection = duckdb.connect(str(tmp_path / "m.duckdb"))
    connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA etl")
    connection.execute(
        "CREATE TABLE t AS SELECT n AS id, [n, NULL] AS many, {'a': 'x' || n} AS s FROM range(1000) r(n)"
    )
    connection.execute("CREATE TABLE etl.none (id BIGINT); CREATE VIEW v AS FROM t WHERE id > 990")
    return connection


def test_rows_go_and_are_replaced(old: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """All else is there, and so are views."""
    old.execute(f"ATTACH '{tmp_path}/fresh' AS {FRESH}")
    mended = whole_rows(old, ("main", "t"), [5]).drop("~at").with_columns(id=pl.lit(5000, pl.Int64))
    change = Change(gone={1, 2, 999}, replaced={5}, fresh=[mended])
    done = rewrite(old, {("main", "t"): change})
    assert (done.tables, done.rows) == (2, 996)
    detach(old)
    old.close()
    put_in_place(tmp_path / "fresh", tmp_path / "m.duckdb")
    with duckdb.connect(str(tmp_path / "m.duckdb")) as fresh:
        ids = {row for (row,) in fresh.execute("SELECT id FROM t").fetchall()}
        assert ids == set(range(1000)) - {1, 2, 5, 999} | {5000}
        assert fresh.execute("SELECT count(*) FROM v").fetchone() == (9,)
        assert fresh.execute("SELECT count(*) FROM etl.none").fetchone() == (0,)
    assert b"x999" not in (tmp_path / "m.duckdb").read_bytes()


def test_a_difference_is_told(old: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the number of rows, and of their values."""
    import stores.rewrite as module

    same = module._same

    def altered(connection: duckdb.DuckDBPyConnection, kept: str, fresh: str, shown: str) -> tuple[int, str]:
        connection.execute(f"UPDATE {fresh} SET s = {{'a': 'other'}} WHERE id = 7")
        return same(connection, kept, fresh, shown)

    monkeypatch.setattr(module, "_same", altered)
    old.execute(f"ATTACH '{tmp_path}/fresh' AS {FRESH}")
    with pytest.raises(IntegrityError, match="the mart is as it was"):
        rewrite(old, {("main", "t"): Change(gone={1})})
