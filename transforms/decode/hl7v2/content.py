"""The hash of a row's content: the same for the same elements and values, whatever else is in its batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

from transforms.alike import Alike

_HASH = "content_hash"
_SLICE = 8192  # rows whose texts are in memory at a time: one is longer than all that is told of it elsewhere


def content_hashes(alike: Alike) -> pl.Series:
    """SHA-256 (Binary) of the UTF-8 of what each row says.

    A row is written as ``NAME=VALUE...``, its elements in the order of their names; an element that has elements in
    braces, a list as ``[VALUE...]``; anything else as its length in bytes, a colon and its text. What has no value, and
    a list or struct with nothing in it, is passed over; an item of a list that says nothing is ``-``. So no two
    contents are written alike, and what other rows say changes nothing.
    """
    frame = alike.frame
    told = sorted(name for name in frame.columns if frame[name].null_count() < frame.height)
    if not told:
        return pl.repeat(hashlib.sha256(b"").digest(), frame.height, dtype=pl.Binary, eager=True).alias(_HASH)
    sha256, hashes = hashlib.sha256, list[bytes]()
    for some in pl.DataFrame([_written(alike, name) for name in told]).iter_slices(_SLICE):
        texts = some.select(_joined(map(pl.col, told))).to_series().cast(pl.Binary).to_list()
        hashes += [sha256(text).digest() for text in texts]
    return pl.Series(_HASH, hashes, dtype=pl.Binary)


def _written(alike: Alike, name: str) -> pl.Series:
    """One column as ``NAME=VALUE`` (String); null where nothing is said."""
    kinds = alike.column(name)
    text = kinds.distinct.select(_named(name, pl.col(name), kinds.distinct.schema[name]))
    return kinds.spread(text).to_series().alias(name)


def _named(name: str, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return pl.concat_str(pl.lit(f"{name}="), _text(value, dtype))


def _text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A value as text; null where nothing is said."""
    if isinstance(dtype, pl.Struct):
        fields = sorted(dtype.fields, key=lambda field: field.name)
        return _within("{", _joined(_named(f.name, value.struct.field(f.name), _dtype(f)) for f in fields), "}")
    if isinstance(dtype, pl.List):
        items = _text(pl.element(), _dtype(dtype)).fill_null("-")
        return _within("[", value.list.eval(items).list.join(""), "]")
    text = value.cast(pl.String)
    return pl.concat_str(text.str.len_bytes().cast(pl.String), pl.lit(":"), text)


def _joined(parts: Iterable[pl.Expr]) -> pl.Expr:
    return pl.concat_str(*parts, ignore_nulls=True)


def _within(begin: str, text: pl.Expr, end: str) -> pl.Expr:
    """A text in brackets; null where there is none."""
    return pl.concat_str(pl.lit(begin), text, pl.lit(end)).replace(begin + end, None)


def _dtype(of: pl.Field | pl.List) -> pl.DataType:
    dtype = of.dtype if isinstance(of, pl.Field) else of.inner
    assert isinstance(dtype, pl.DataType)
    return dtype
