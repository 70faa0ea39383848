"""Staged rows as relations of a commit: files, and what is held in memory.

Rows in memory cost a load less than files; how many may be held is said by :meth:`stores.staging.Stage.may_hold`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import polars as pl
import pyarrow as pa

from schemas.arrow import Streamed
from schemas.staged import StagedTable
from stores.sql import files, quoted


@contextmanager
def held_rows(connection: duckdb.DuckDBPyConnection, staged: Iterable[StagedTable]) -> Iterator[None]:
    """What of ``staged`` is held in memory, as views of the connection until the block ends."""
    views = _views(staged)
    for name, packed in views.items():
        connection.register(name, Streamed(_Unpacked(packed)))
    try:
        yield
    finally:
        for name in views:
            connection.unregister(name)


def staged_rows(staged: Sequence[StagedTable]) -> str:
    """All staged rows of one table as a relation, with the columns that any of them has; within :func:`held_rows` of
    the same and of other tables.
    """
    parts = [f"SELECT * FROM {quoted(name)}" for name in _views(staged)]
    if paths := [one.path for one in staged if one.packed is None]:
        parts.append(f"SELECT * FROM read_parquet({files(paths)}, union_by_name = true)")
    return f"({' UNION ALL BY NAME '.join(parts)})"


class _Unpacked:
    """Packed rows of the same columns, unpacked one after the other as they are read, as often as they are."""

    def __init__(self, packed: Sequence[bytes]) -> None:
        self._packed = packed

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches = (batch for one in self._packed for batch in _batches(one))
        reader = pa.RecordBatchReader.from_batches(_schema(self._packed[0]), batches)
        return reader.__arrow_c_stream__(requested_schema)


def _batches(packed: bytes) -> list[pa.RecordBatch]:
    """Polars unpacks on all processors, and several times as fast as pyarrow."""
    return pl.read_ipc_stream(packed).to_arrow(compat_level=pl.CompatLevel.newest()).to_batches()


def _schema(packed: bytes) -> pa.Schema:
    return pa.ipc.open_stream(packed).schema


def _views(staged: Iterable[StagedTable]) -> dict[str, list[bytes]]:
    """What is packed by the name of the view that it is in: one for each table and set of columns, whose structs have
    other fields from chunk to chunk too.
    """
    alike: dict[str, dict[pa.Schema, list[bytes]]] = defaultdict(dict)
    for one in staged:
        if one.packed is not None:
            alike[one.table].setdefault(_schema(one.packed), []).append(one.packed)
    return {f"~held_{t}_{n}": packed for t, kinds in alike.items() for n, packed in enumerate(kinds.values())}
