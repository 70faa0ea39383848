"""Arrow data handed from one library to another by its C interface alone.

Polars asks pyarrow's kernels about pyarrow's own objects, and DuckDB its data sets: to import those takes a small load
a tenth of its time, and copies what need not be copied.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl


class _Array(Protocol):
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...


class _Stream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class Streamed:
    """A frame or table as nothing but a stream of Arrow batches; it can be read as often as what is behind it."""

    __slots__ = ("_behind",)

    def __init__(self, behind: _Stream) -> None:
        self._behind = behind

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._behind.__arrow_c_stream__(requested_schema)


class _OneArray:
    __slots__ = ("_behind",)

    def __init__(self, behind: _Array) -> None:
        self._behind = behind

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._behind.__arrow_c_array__(requested_schema)


def series_of(array: _Array) -> pl.Series:
    """An Arrow array as a column without a name."""
    return pl.Series(_OneArray(array))


def frame_of(table: _Stream) -> pl.DataFrame:
    """An Arrow table as a frame."""
    return pl.DataFrame(Streamed(table))
