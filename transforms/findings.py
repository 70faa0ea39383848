"""What was found about rows without refusing them, as rows of ``etl.validation``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from schemas.notes import COUNTED, note_of
from schemas.records import Finding
from schemas.table import NOTE

_TEXTS = ("resource_type", "id", "finding", "path", "code", "message")
_SCHEMA = dict.fromkeys(_TEXTS, pl.String()) | {"rows": pl.Int64()}


def notes_frame(resource_type: str, ids: pl.Series, notes: Iterable[pl.Series], refused: Sequence[int]) -> pl.DataFrame:
    """The notes on accepted rows: the columns of ``etl.validation`` but for load and source. One row each, but one for
    all rows of what is only counted.

    ``notes`` are Boolean columns as the normaliser names them (``*effective:leap_second``), ``ids`` those of the same
    rows; ``refused`` are the rows (by index) that were not accepted.
    """
    kept = pl.Series([True]).new_from_index(0, len(ids)).scatter(refused, False) if refused else None
    return pl.concat(
        [_rows(resource_type, ids.filter(rows if kept is None else rows & kept), rows.name) for rows in notes]
    )


def _rows(resource_type: str, ids: pl.Series, name: str) -> pl.DataFrame:
    path, _, code = name.removeprefix(NOTE).rpartition(":")
    note = note_of(code)
    if note in COUNTED:
        row = (resource_type, None, "note", path, code, note.meaning, len(ids))
        return pl.DataFrame([row] if len(ids) else [], schema=_SCHEMA, orient="row")
    told = {"resource_type": resource_type, "finding": "note", "path": path, "code": code, "message": note.meaning}
    return (
        ids.alias("id")
        .to_frame()
        .select(
            pl.lit(told.get(column), dtype).alias(column) if column != "id" else "id"
            for column, dtype in _SCHEMA.items()
        )
    )


def findings_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Single findings as the same rows."""
    rows = [(f.resource_type, f.resource_id, f.finding, f.path, f.code, f.message, None) for f in findings]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
