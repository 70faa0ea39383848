"""Pieces that the texts of all formats have: fractions of a second, precisions, columns of one value."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"  # hours and minutes
_NANO_DIGITS = 9
_MOST_DIGITS = 127  # that an Int8 counts
_POWERS = pl.Series([10**n for n in range(_NANO_DIGITS + 1)], dtype=pl.Int64)


def where(mask: pl.Series, values: pl.Series) -> pl.Series:
    """The values in the rows of the mask (Boolean), null elsewhere."""
    if mask.null_count() == 0 and mask.all():
        return values
    return pl.select(pl.when(mask).then(values)).to_series()


def constant(value: str, like: pl.Series) -> pl.Series:
    """A String column of one value, null where ``like`` is."""
    column = pl.Series([value]).new_from_index(0, len(like))
    return column if like.null_count() == 0 else where(like.is_not_null(), column)


def by_length(lengths: pl.Series, names: Mapping[int, str], longer: str) -> pl.Series:
    """The name for each length (String), ``longer`` for all other lengths; null stays null."""
    shortest = lengths.min()
    if shortest == lengths.max() and isinstance(shortest, int):
        return constant(names.get(shortest, longer), lengths)
    named = lengths.replace_strict(list(names), list(names.values()), default=longer, return_dtype=pl.String)
    return named if lengths.null_count() == 0 else where(lengths.is_not_null(), named)


def nanoseconds(digits: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Nanoseconds after the second (Int64) of the digits after the point, and how many digits there are (Int8).

    ``digits`` (String) is empty or null where there is no fraction: 0 nanoseconds, and no count. What is beyond the
    ninth digit is cut. More than 127 digits count as 127.
    """
    many = digits.str.len_bytes()
    longest = many.max()
    if isinstance(longest, int) and longest > _NANO_DIGITS:
        digits = digits.str.head(_NANO_DIGITS)
    scale = _NANO_DIGITS - many.clip(upper_bound=_NANO_DIGITS).cast(pl.Int64)
    nanos = (digits.cast(pl.Int64, strict=False) * _POWERS.gather(scale)).fill_null(0)
    return nanos, where(many > 0, many.clip(upper_bound=_MOST_DIGITS).cast(pl.Int8))
