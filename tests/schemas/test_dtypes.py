"""DuckDB's type names as Polars types: what DuckDB makes of a name is what Polars gets."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest

from schemas.dtypes import polars_dtype
from schemas.tables import all_tables

NAMES = sorted({column.dtype for table in all_tables() for column in table.columns()})


@pytest.mark.parametrize("name", NAMES)
def test_every_type_of_the_mart_is_what_duckdb_gives(name: str) -> None:
    """An empty column of the type, through Arrow."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    frame = pl.from_arrow(connection.sql(f"SELECT CAST(NULL AS {name}) AS x").to_arrow_table())
    connection.close()
    assert isinstance(frame, pl.DataFrame)
    assert frame.schema["x"] == polars_dtype(name)


def test_nested_names() -> None:
    """Quoted and bare names, lists of lists, structs in structs."""
    made = polars_dtype('STRUCT("a" VARCHAR, b STRUCT(c DATE, d BIGINT[][])[], "order" DOUBLE)[]')
    inner = pl.Struct({"c": pl.Date(), "d": pl.List(pl.List(pl.Int64()))})
    assert made == pl.List(pl.Struct({"a": pl.String(), "b": pl.List(inner), "order": pl.Float64()}))


def test_an_unknown_name() -> None:
    """A type that no column has is a mistake in a model."""
    with pytest.raises(KeyError, match="HUGEINT"):
        polars_dtype("HUGEINT[]")
