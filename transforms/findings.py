"""What was found about rows without refusing them, as rows of ``etl.validation``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from schemas.notes import note_of
from schemas.records import Finding
from schemas.table import NOTE

_COLUMNS = ("resource_type", "id", "finding", "path", "code", "message")  # all String


def notes_frame(resource_type: str, ids: pl.Series, notes: Iterable[pl.Series], refused: Sequence[int]) -> pl.DataFrame:
    """The notes on accepted rows, one row each: the columns of ``etl.validation`` but for load and source.

    ``notes`` are Boolean columns as the normaliser names them (``*effective:leap_second``), ``ids`` those of the same
    rows; ``refused`` are the rows (by index) that were not accepted.
    """
    kept = pl.Series([True]).new_from_index(0, len(ids)).scatter(refused, False) if refused else None
    return pl.concat(
        [_rows(resource_type, ids.filter(rows if kept is None else rows & kept), rows.name) for rows in notes]
    )


def _rows(resource_type: str, ids: pl.Series, name: str) -> pl.DataFrame:
    path, _, code = name.removeprefix(NOTE).rpartition(":")
    said = (resource_type, None, "note", path, code, note_of(code).meaning)
    return pl.DataFrame(
        [
            ids.alias(column) if text is None else pl.Series(column, [text], pl.String).new_from_index(0, len(ids))
            for column, text in zip(_COLUMNS, said, strict=True)
        ]
    )


def findings_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Single findings as the same rows."""
    rows = [(f.resource_type, f.resource_id, f.finding, f.path, f.code, f.message) for f in findings]
    return pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String), orient="row")
