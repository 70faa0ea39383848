"""DuckDB's names of types as Polars types."""

from __future__ import annotations

import functools

import polars as pl

_SCALARS: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "BOOLEAN": pl.Boolean(),
    "DOUBLE": pl.Float64(),
    "BIGINT": pl.Int64(),
    "SMALLINT": pl.Int16(),
    "DATE": pl.Date(),
    "BLOB": pl.Binary(),
    "TIMESTAMP WITH TIME ZONE": pl.Datetime("us", "UTC"),
}


@functools.cache
def polars_dtype(name: str) -> pl.DataType:
    """The Polars type of a DuckDB type: scalars of the mart, ``STRUCT(...)`` and ``[]`` of them, nested at will."""
    if name.endswith("[]"):
        return pl.List(polars_dtype(name[:-2]))
    if name.startswith("STRUCT(") and name.endswith(")"):
        return pl.Struct([pl.Field(field, polars_dtype(kind)) for field, kind in _fields(name[7:-1])])
    return _SCALARS[name]


def _fields(body: str) -> list[tuple[str, str]]:
    """``"a" VARCHAR, b STRUCT(c DATE)[]`` as pairs of name and type."""
    fields, depth, start = [], 0, 0
    for position, letter in enumerate(body + ","):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            name, kind = body[start:position].strip().split(" ", 1)
            fields.append((name.strip('"'), kind))
            start = position + 1
    return fields
