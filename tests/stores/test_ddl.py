"""Tables and views as DuckDB takes them."""

from __future__ import annotations

import duckdb
import pytest

from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype
from schemas.tables import all_tables
from schemas.tables.medication import MEDICATION
from stores.ddl import contract, resource_contract
from stores.layout import layout
from stores.stored import make_room


@pytest.fixture(scope="module")
def mart() -> duckdb.DuckDBPyConnection:
    """A database with all views, made twice over: the statements may be repeated."""
    connection = duckdb.connect()
    for _ in range(2):
        for statement in layout(all_tables()):
            connection.execute(statement)
    return connection


def test_types_are_kept(mart: duckdb.DuckDBPyConnection) -> None:
    """DuckDB gives every column the type that the model names, with data and without, and Polars knows it too."""
    full = contract(MEDICATION)
    make_room(mart, full, {}, {c.name for c in full.columns})
    for table in all_tables():
        described = {row[0]: row[1] for row in mart.execute(f'DESCRIBE main."{table.name}"').fetchall()}
        for column in table.columns():
            assert described[column.name].replace('"', "") == column.dtype.replace('"', ""), (table.name, column.name)
            polars_dtype(column.dtype)


def test_no_keyword_needs_quotes(mart: duckdb.DuckDBPyConnection) -> None:
    """No table or view and none of its columns is a reserved word, so that people need no quotes."""
    reserved = {
        row[0]
        for row in mart.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
    }
    names = mart.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
    assert reserved
    assert {n for pair in names for n in pair} & reserved == set()


def test_child_views_have_their_key(mart: duckdb.DuckDBPyConnection) -> None:
    """A view of a repeated part has a row per item with source, id and its place, and none for empty lists."""
    make_room(mart, contract(MEDICATION), {}, {"ingredients"})
    mart.execute(
        "INSERT INTO stored.medication (source, id, ingredients) SELECT 's', x, "
        "CASE x WHEN 'two' THEN [NULL, NULL] WHEN 'none' THEN [] END FROM (VALUES ('two'), ('none'), ('null')) t(x)"
    )
    rows = mart.execute("SELECT source, id, ordinal FROM main.medication_ingredient ORDER BY ALL").fetchall()
    assert rows == [("s", "two", 1), ("s", "two", 2)]


def test_every_child_table_is_a_view(mart: duckdb.DuckDBPyConnection) -> None:
    """Each declared child table can be read, with its item's fields as columns."""
    children = [(t, e) for t in all_tables() for e in t.child_tables()]
    assert len(children) > 5
    for _, element in children:
        columns = [row[0] for row in mart.execute(f'DESCRIBE main."{element.child_table}"').fetchall()]
        assert {"source", "id", "ordinal"} < set(columns)
        assert len(columns) == len(set(columns))


def test_bookkeeping_is_documented(mart: duckdb.DuckDBPyConnection) -> None:
    """The tables of etl are exactly the documented ones."""
    names = mart.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'etl'").fetchall()
    assert {name for (name,) in names} == set(BOOKKEEPING)
    for columns in (*BOOKKEEPING.values(), resource_contract().columns):
        assert all(c.description for c in columns)


def test_nothing_that_a_lake_refuses(mart: duckdb.DuckDBPyConnection) -> None:
    """No keys, constraints, indexes or sequences: the same DDL serves DuckLake."""
    for catalog in ("duckdb_constraints()", "duckdb_indexes()", "duckdb_sequences()"):
        assert mart.execute(f"SELECT count(*) FROM {catalog}").fetchone() == (0,)
