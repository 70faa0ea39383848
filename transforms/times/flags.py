"""What is odd about a time that is one all the same: a set of bits for each row."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from schemas.notes import Note

BITS: dict[Note, int] = {
    Note.LEAP_SECOND: 1,
    Note.NEGATIVE_ZERO_OFFSET: 2,
    Note.UTC_OUT_OF_RANGE: 4,
    Note.OFFSET_FROM_ZONE: 8,
    Note.NONEXISTENT_LOCAL_TIME: 16,
    Note.AMBIGUOUS_LOCAL_TIME: 32,
    Note.NO_OFFSET_NO_ZONE: 64,
}


def no_flags(height: int) -> pl.Series:
    """Rows without any flag, UInt8."""
    return pl.Series("flags", [0], dtype=pl.UInt8).new_from_index(0, height)


def flagged(mask: pl.Series, note: Note) -> pl.Series:
    """The bit of a note (UInt8) in the rows of the mask, else 0; null counts as false."""
    return mask.fill_null(False).cast(pl.UInt8) * BITS[note]


def raised(flags: pl.Series) -> Iterator[tuple[Note, pl.Series]]:
    """The notes that any row has, each with its rows (Boolean); ``flags`` is that column of times."""
    if not flags.max():  # of no rows there is none
        return
    for note, bit in BITS.items():
        rows = (flags & bit) != 0
        if rows.any():
            yield note, rows
