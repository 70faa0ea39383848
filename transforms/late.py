"""Which rows lie before the event watermark that stood when their load began."""

from __future__ import annotations

import polars as pl

from schemas.lateness import Lateness
from schemas.reasons import Reason
from transforms.decode.careful import Fault
from transforms.result import ChunkResult

LATE = Fault(Reason.LATE, "last_updated", Reason.LATE.meaning)


def late_rows(lateness: Lateness, kind: str, own: pl.Series, failed: set[int], result: ChunkResult) -> list[int]:
    """The rows of a type that are late and have not ``failed`` anyway; they are counted.

    ``own`` are the times (Datetime) that rows brought with them: one without is never late.
    """
    before = lateness.before.get(kind)
    if before is None:
        return []
    late = [row for row in (own < before).fill_null(False).arg_true().to_list() if row not in failed]
    if late:
        result.late[kind] += len(late)
    return late
