"""Runs of equal texts: neighbouring rows often share a time or a reference (one patient, one encounter, one panel),
so that each run is parsed once.
"""

from __future__ import annotations

import polars as pl

_WORTH = 0.7  # share of distinct runs above which gathering costs more than it saves


def heads_of_runs(text: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """The text of each run, and for each row (UInt32) the number of its run; None where it is not worth while."""
    if text.is_empty():
        return None
    runs = text.rle_id()
    count = int(runs[-1]) + 1
    if count > _WORTH * len(text):
        return None
    return text.filter(runs != runs.shift(1, fill_value=count)), runs
