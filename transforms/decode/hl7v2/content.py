"""The hash of a row's content: the same for the same elements and values, whatever else is in its batch."""

from __future__ import annotations

import hashlib

import polars as pl


def content_hashes(frame: pl.DataFrame) -> pl.Series:
    """SHA-256 (Binary) of what each row says, element by element in the order of their names.

    Nulls and elements without a value are passed over; every text is written with its length before it, so that no two
    contents are written alike.
    """
    texts = frame.lazy().select(_packed(frame.schema, pl.col).alias("text")).collect().to_series()
    return pl.Series("content_hash", [hashlib.sha256(text.encode()).digest() for text in texts], dtype=pl.Binary)


def _packed(fields: dict[str, pl.DataType], get: object) -> pl.Expr:
    """The fields that are not null, each as its name and its value."""
    parts = [_named(name, fields[name], get(name)) for name in sorted(fields)]  # type: ignore[operator]
    return pl.concat_str(parts, ignore_nulls=True) if parts else pl.lit("")


def _named(name: str, dtype: pl.DataType, value: pl.Expr) -> pl.Expr:
    text = _text(dtype, value)
    return pl.when(text != "").then(pl.concat_str(pl.lit(f"{len(name)}:{name}"), _sized(text)))


def _text(dtype: pl.DataType, value: pl.Expr) -> pl.Expr:
    """A value as text; empty or null where nothing is said."""
    if isinstance(dtype, pl.Struct):
        inner = {f.name: f.dtype for f in dtype.fields}
        return _packed(inner, value.struct.field)  # type: ignore[arg-type]
    if isinstance(dtype, pl.List):
        item = _text(dtype.inner, pl.element())  # type: ignore[arg-type]
        return value.list.eval(_sized(item.fill_null(""))).list.join("")
    return value.cast(pl.String)


def _sized(text: pl.Expr) -> pl.Expr:
    return pl.concat_str(text.str.len_bytes().cast(pl.String), pl.lit(":"), text)
