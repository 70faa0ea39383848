"""Parquet files as chunks of separated values: a row a line, each value as the text that says it exactly.

So rows of Parquet and of CSV take the same way, are refused for the same reasons and stand in the quarantine as lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import polars as pl
import pyarrow as pa

from schemas.errors import IntegrityError
from schemas.mapping.dialect import Dialect
from schemas.records import Chunk, ChunkKind
from sources.lines import Piece

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MAGIC = b"PAR1"  # the first and the last four bytes
_ROWS = 65_536
_INSTANT, _LOCAL = "%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f"


def is_parquet(head: bytes) -> bool:
    """True for the first four bytes of a Parquet file."""
    return head.startswith(_MAGIC)


def parquet_pieces(raw: BinaryIO, uri: str) -> Iterator[Piece]:
    """The rows as ``EXTRACT`` chunks, one row group after the other; ``offset`` and ``line`` count rows.

    Columns of lists, structs and bytes are left out. IntegrityError for a file that is damaged.
    """
    file = _opened(raw, uri)
    names = _columns(file)
    done = 0
    try:
        for batch in file.iter_batches(_ROWS, columns=list(names), use_threads=False):
            frame = pl.from_arrow(pa.Table.from_batches([batch]))
            assert isinstance(frame, pl.DataFrame)
            data = frame.select(_text(frame[name]) for name in names).write_csv(include_header=False).encode()
            yield Chunk(uri, done, done + 1, data, ChunkKind.EXTRACT, names=names, dialect=Dialect()), frame.height
            done += frame.height
    except (pa.ArrowException, OSError) as error:
        raise _damaged(uri, error) from None


def parquet_names(raw: BinaryIO, uri: str) -> tuple[str, ...]:
    """The names of the columns that are read."""
    return _columns(_opened(raw, uri))


def _opened(raw: BinaryIO, uri: str) -> pq.ParquetFile:
    import pyarrow.parquet as pq  # noqa: PLC0415 - loads of other files need not wait for it

    try:
        return pq.ParquetFile(raw)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(uri, error) from None


def _damaged(uri: str, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"{uri}: this Parquet file cannot be read ({type(error).__name__}); nothing of it was loaded. Get it again"
    )


def _columns(file: pq.ParquetFile) -> tuple[str, ...]:
    schema = file.schema_arrow
    return tuple(field.name for field in schema if not _is_nested(field.type))


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _text(column: pl.Series) -> pl.Series:
    """The values as text: times as ISO 8601, numbers with the digits that say them exactly."""
    if isinstance(column.dtype, pl.Datetime):
        text = column.dt.strftime(_LOCAL if column.dtype.time_zone is None else _INSTANT)
    else:
        text = column.cast(pl.String)
    return text.alias(column.name)
