"""Ids of rows: the first 128 bits of SHA-256 over length-prefixed UTF-8, in hexadecimal digits, so that no text can
pass for two others. The same things are named the same whatever message tells of them.
"""

from __future__ import annotations

import hashlib

import polars as pl

_BYTES = 16  # 128 bits


def _prefixed(told: pl.Expr | pl.Series) -> pl.Expr:
    """A text with its length in bytes before it; ``-`` for none."""
    part = pl.lit(told) if isinstance(told, pl.Series) else told
    return (
        pl.when(part.is_null())
        .then(pl.lit("-"))
        .otherwise(pl.concat_str(part.str.len_bytes().cast(pl.String), pl.lit(":"), part))
    )


def key_of(label: str, *parts: pl.Expr | pl.Series) -> pl.Expr:
    """The text (String) that an id is the hash of: the kind of thing, then what tells one from another."""
    return pl.concat_str(pl.lit(f"{len(label.encode())}:{label}"), *(_prefixed(part) for part in parts))


def told_apart(messages: pl.Series, keys: pl.Series) -> pl.Series:
    """The keys, with its number behind the second and later ones of the same in a message."""
    frame = pl.DataFrame([messages.alias("message"), keys.alias("key")])
    if frame["key"].n_unique() == frame.height or frame.n_unique() == frame.height:
        return keys
    place = pl.int_range(1, pl.len() + 1).over("message", "key")
    again = pl.when(place > 1).then(pl.concat_str(pl.lit("#"), place.cast(pl.String))).otherwise(pl.lit(""))
    return frame.select(pl.concat_str("key", again)).to_series()


def hashed(keys: pl.Series) -> pl.Series:
    """The ids (String, 32 hexadecimal digits) of texts; null for null."""
    sha256 = hashlib.sha256
    made = [None if key is None else sha256(key).digest() for key in keys.cast(pl.Binary).to_list()]
    return pl.Series(keys.name, made, dtype=pl.Binary).bin.slice(0, _BYTES).bin.encode("hex")


def reference(resource_type: str, told: pl.Expr | pl.Series) -> pl.Expr:
    """A Reference (Struct of ``reference``) to the resource of that id; null for null."""
    ids = pl.lit(told) if isinstance(told, pl.Series) else told
    return pl.when(ids.is_not_null()).then(pl.struct(reference=pl.concat_str(pl.lit(f"{resource_type}/"), ids)))
