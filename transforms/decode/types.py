"""Which resource type every line says it is."""

from __future__ import annotations

import functools
from collections.abc import Set

import polars as pl

from schemas.fhir_types import resource_types
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE
from transforms.decode import careful
from transforms.decode.careful import Fault, Refused
from transforms.decode.lines import Lines, only_type, type_when_first


def types_of(lines: Lines, without: Set[int]) -> tuple[pl.DataFrame, list[Refused]]:
    """``row`` (UInt32) and ``type`` of every line that says one, and the lines that do not."""
    if not without and lines.utf8 and (one := only_type(lines.frame["text"])) in resource_types():
        every = pl.int_range(lines.frame.height, dtype=pl.UInt32, eager=True)
        return pl.DataFrame({"row": every, "type": pl.repeat(one, len(every), dtype=pl.String, eager=True)}), []
    frame = pl.DataFrame({"type": type_when_first(lines.frame["text"])}).with_row_index("row")
    if without:
        frame = frame.filter(~pl.col("row").is_in(list(without)))
    refused = []
    if not lines.utf8:
        for row in lines.not_utf8():
            refused.append(Refused(row, UNKNOWN_TYPE, Fault(Reason.INVALID_UTF8, None, Reason.INVALID_UTF8.meaning)))
    elsewhere = frame.filter(pl.col("type").is_null())["row"].to_list()
    told: dict[int, str] = {}
    for row in elsewhere:
        found = careful.resource_type(lines.payload(row))
        if isinstance(found, Fault):
            refused.append(Refused(row, UNKNOWN_TYPE, found))
        else:
            told[row] = found
    if told:
        by_row = pl.DataFrame(
            {"row": list(told), "told": list(told.values())}, schema={"row": frame["row"].dtype, "told": pl.String}
        )
        frame = frame.join(by_row, on="row", how="left", maintain_order="left").with_columns(
            type=pl.coalesce("type", "told")
        )
    known = pl.col("type").is_in(_known_types())
    for row, kind in frame.filter(pl.col("type").is_not_null() & ~known).select("row", "type").iter_rows():
        refused.append(Refused(row, UNKNOWN_TYPE, _unknown_type(kind)))
    gone = [r.row for r in refused]
    return frame.filter(known & ~pl.col("row").is_in(gone)).select("row", "type"), _unique(refused)


def _unique(refused: list[Refused]) -> list[Refused]:
    """One reason per line, the first found."""
    return list({r.row: r for r in reversed(refused)}.values())[::-1]


def _unknown_type(_: str) -> Fault:
    return Fault(Reason.UNKNOWN_RESOURCE_TYPE, "resourceType", Reason.UNKNOWN_RESOURCE_TYPE.meaning)


@functools.cache
def _known_types() -> list[str]:
    return sorted(resource_types())
