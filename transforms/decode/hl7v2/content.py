"""The hash of a row's content: the same for the same elements and values, whatever else is in its batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl
import pyarrow as pa

_HASH = "content_hash"


def content_hashes(frame: pl.DataFrame) -> pl.Series:
    """SHA-256 (Binary) of what each row says, element by element in the order of their names.

    Nulls and elements without a value are passed over; every text is written with its length before it, so that no two
    contents are written alike.
    """
    texts = _packed(frame.get_columns(), frame.height).fill_null("")
    return pl.Series(_HASH, [hashlib.sha256(text.encode()).digest() for text in texts], dtype=pl.Binary)


def _packed(columns: Iterable[pl.Series], height: int) -> pl.Series:
    """Each field that says something, as its name and its value; null where none does."""
    parts: list[pl.Series] = []
    for column in sorted(columns, key=lambda column: column.name):
        if column.null_count() < height:
            name = f"{len(column.name)}:{column.name}"
            text = _text(column)
            parts.append(
                pl.select(
                    pl.when(text.is_not_null()).then(
                        pl.concat_str(pl.lit(name), text.str.len_bytes().cast(pl.String), pl.lit(":"), text)
                    )
                )
                .to_series()
                .alias(str(len(parts)))
            )
    if not parts:
        return pl.repeat(None, height, dtype=pl.String, eager=True)
    joined = pl.DataFrame(parts).select(pl.concat_str(pl.all(), ignore_nulls=True).alias("text"))
    return joined.select(pl.when(pl.col("text") != "").then("text")).to_series()


def _text(value: pl.Series) -> pl.Series:
    """A value as text; null where nothing is said."""
    if isinstance(value.dtype, pl.Struct):
        return _packed(value.struct.unnest().get_columns(), len(value))
    if isinstance(value.dtype, pl.List):
        return _listed(value)
    return value.cast(pl.String)


def _listed(lists: pl.Series) -> pl.Series:
    """The items of each list, one after the other; null for a list that is null or empty."""
    lengths = lists.list.len()
    items = _text(lists.filter(lengths > 0).explode()).fill_null("")
    sized = pl.select(pl.concat_str(items.str.len_bytes().cast(pl.String), pl.lit(":"), items)).to_series()
    ends = lengths.fill_null(0).cast(pl.Int64).cum_sum()
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), ends])
    closed = pl.from_arrow(pa.LargeListArray.from_arrays(offsets.to_arrow(), sized.to_arrow()))
    assert isinstance(closed, pl.Series)
    text = closed.list.join("")
    return pl.select(pl.when(text != "").then(text)).to_series()
