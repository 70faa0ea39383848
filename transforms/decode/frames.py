"""Rows that are FHIR-shaped already, as frames: DuckDB runs the table's own projection over them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl

from schemas.table import Table
from transforms.fhirpath.shape import identifier
from transforms.project import Present, projection


class FrameReader:
    """Reads frames on one thread; holds that thread's DuckDB connection."""

    def __init__(self) -> None:
        self._opened: duckdb.DuckDBPyConnection | None = None  # by the first frame: most loads have none

    def close(self) -> None:
        """Release the connection."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            self._opened = duckdb.connect(":memory:", config={"threads": 1})
            self._opened.execute(
                "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false"
            )
        return self._opened

    def read(self, frame: pl.DataFrame, table: Table) -> pl.DataFrame:
        """The raw columns of a table, a row for each row of ``frame``, whose columns are elements as in FHIR JSON.

        Elements and fields that the frame lacks are null; those that the table does not read are passed over.
        """
        plan = projection(table, present_in(frame))
        read = {name: dtype for name, dtype in plan.read.items() if name in frame.columns}
        casts = [f"CAST({identifier(name)} AS {dtype}) AS {identifier(name)}" for name, dtype in read.items()]
        casts += [
            f"CAST(NULL AS {dtype}) AS {identifier(name)}" for name, dtype in plan.read.items() if name not in read
        ]
        self._connection.register("~frame", frame.select(list(read)).to_arrow())
        try:
            made = self._connection.sql(
                f'SELECT {plan.select} FROM (SELECT {", ".join(casts)} FROM "~frame")'
            ).to_arrow_table()
        finally:
            self._connection.unregister("~frame")
        raw = pl.from_arrow(made)
        assert isinstance(raw, pl.DataFrame)
        return raw


def present_in(frame: pl.DataFrame) -> Present:
    """The keys of all elements that a frame has, at any depth."""
    return Present(frozenset(_names(frame.schema)))


def _names(fields: pl.Schema | dict[str, pl.DataType]) -> Iterator[str]:
    for name, dtype in fields.items():
        yield name
        item = dtype
        while isinstance(item, pl.List):
            item = item.inner  # type: ignore[assignment]
        if isinstance(item, pl.Struct):
            yield from _names({f.name: f.dtype for f in item.fields})  # type: ignore[misc]
