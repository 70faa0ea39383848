"""Distinct rows: what is worked out for each row of its own is worked out once for rows that are alike."""

from __future__ import annotations

import polars as pl

WORTH = 0.7  # share of distinct rows above which it costs more to find and to spread them than they save
_FEW = 256  # rows; for fewer than these the plan of a join costs more than what it saves
_AT = "~at"


def distinct_rows(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series] | None:
    """The distinct rows of a frame, whose columns may be nested, and for each row which of them (UInt32) it is.

    None where that is not worth while. Rows are alike whose values are; zero and negative zero are, too.
    """
    if frame.height < _FEW or not frame.width:
        return None
    names = frame.columns
    numbered = frame.with_row_index(_AT)
    first = numbered.select(pl.col(_AT).first().over(names)).to_series()
    heads = first == numbered[_AT]
    if heads.sum() > WORTH * frame.height:
        return None
    numbers = heads.cum_sum().cast(pl.UInt32) - 1
    return frame.filter(heads), numbers.gather(first)
