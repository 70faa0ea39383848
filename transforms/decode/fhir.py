"""FHIR JSON to raw columns: DuckDB reads the lines of one type with the table's projection; bad lines are told
apart first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Set
from dataclasses import dataclass

import duckdb
import polars as pl

from schemas.fhir_types import resource_types
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE
from schemas.table import Table
from transforms.decode import careful
from transforms.decode.careful import Fault, Refused
from transforms.decode.digits import keep_digits
from transforms.decode.keys import KeyMemory
from transforms.decode.lines import Lines, type_when_first
from transforms.decode.memory_file import memory_file
from transforms.decode.suspects import generic_suspicion, needs_strictness, suspicion
from transforms.project import Projection, keys, projection, whole_projection

_ROW = "~line"  # index of a row's line in the chunk


@dataclass(frozen=True, slots=True)
class TypeBatch:
    """The readable lines of one resource type.

    ``raw`` has the projection's columns; ``rows`` (UInt32) gives for each the row of its line in ``Lines.frame``.
    ``table`` is None for a type that is kept whole.
    """

    resource_type: str
    table: Table | None
    raw: pl.DataFrame
    rows: pl.Series


class Decoder:
    """Decodes chunks on one thread; holds that thread's DuckDB connection, which keeps nothing between calls."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._memories: dict[str, KeyMemory] = {}
        self._connection.execute(
            "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false"
        )

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()

    def decode(self, lines: Lines, without: Set[int] = frozenset()) -> tuple[list[TypeBatch], list[Refused]]:
        """The batches of a chunk by resource type, and the lines that are refused; rows in ``without`` are passed
        over.
        """
        types, refused = _types(lines, without)
        batches = []
        for (kind,), group in types.group_by(["type"], maintain_order=True):
            table = self._tables.get(str(kind))
            rows = group["row"]
            whole = len(rows) == lines.frame.height
            batch, bad = self._read(str(kind), table, lines, rows, untouched=whole)
            batches.append(batch)
            refused += bad
        return batches, refused

    def _read(
        self, kind: str, table: Table | None, lines: Lines, rows: pl.Series, *, untouched: bool
    ) -> tuple[TypeBatch, list[Refused]]:
        """Read the lines of one type; on any doubt find the bad ones and read the others."""
        text = lines.frame["text"] if untouched else lines.frame["text"].gather(rows)
        plan = self._plan(kind, table, text)
        suspects = text.str.contains(generic_suspicion() if table is None else suspicion(table))
        bad = _suspected(lines, text, rows, suspects.arg_true(), kind, table) if suspects.any() else []
        raw = None
        for strictly in (False, True):
            keep, good = _without(text, rows, bad)
            raw = self._try(plan, good)
            if raw is not None:
                return TypeBatch(kind, table, raw, keep), bad
            refused = {r.row for r in bad}
            rest = pl.Series([i for i, row in enumerate(rows.to_list()) if row not in refused], dtype=pl.UInt32)
            bad = bad + _judged(lines, rows, rest, kind, table, strictly=strictly)
        keep, good = _without(text, rows, bad)
        raw, undecodable = self._bisect(plan, good, keep)
        bad = bad + [
            Refused(row, kind, Fault(Reason.UNDECODABLE, None, Reason.UNDECODABLE.meaning)) for row in undecodable
        ]
        return TypeBatch(kind, table, raw, keep.filter(~keep.is_in(undecodable))), bad

    def _plan(self, kind: str, table: Table | None, text: pl.Series) -> Projection:
        """The projection over what occurs in these lines."""
        if table is None:
            return whole_projection()
        if kind not in self._memories:
            self._memories[kind] = KeyMemory(keys(projection(table).shape))
        return projection(table, self._memories[kind].present(text))

    def _try(self, plan: Projection, text: pl.Series) -> pl.DataFrame | None:
        """The raw columns, or None when DuckDB refuses any of the lines."""
        text, _ = keep_digits(text, plan.literals)
        array = text.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = array.buffers()
        first = array.offset
        bounds = memoryview(offsets).cast("q")
        begin, end = bounds[first], bounds[first + len(array)]
        with memory_file(memoryview(data)[begin:end]) as path:
            try:
                result = self._connection.sql(plan.query(path)).to_arrow_table()
            except (duckdb.InvalidInputException, duckdb.ConversionException):
                return None
        if result.num_rows != len(text):
            return None
        frame = pl.from_arrow(result)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _bisect(self, plan: Projection, text: pl.Series, rows: pl.Series) -> tuple[pl.DataFrame, list[int]]:
        """Read what can be read and name the rows that cannot, by halving. The last resort."""
        raw = self._try(plan, text)
        if raw is not None:
            return raw, []
        if len(text) == 1:
            empty = self._try(plan, text.clear())
            assert empty is not None
            return empty, rows.to_list()
        half = len(text) // 2
        first, bad_first = self._bisect(plan, text[:half], rows[:half])
        second, bad_second = self._bisect(plan, text[half:], rows[half:])
        return pl.concat([first, second], how="vertical"), bad_first + bad_second


def _types(lines: Lines, without: Set[int]) -> tuple[pl.DataFrame, list[Refused]]:
    """``row`` (UInt32) and ``type`` of every line that says one, and the lines that do not."""
    frame = lines.frame.select(type=type_when_first(pl.col("text"))).with_row_index("row")
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


def _suspected(
    lines: Lines, text: pl.Series, rows: pl.Series, which: pl.Series, kind: str, table: Table | None
) -> list[Refused]:
    """Those of the suspected lines that are refused; most are only of a type that the scan cannot be sure of."""
    strict = text.gather(which).str.contains(needs_strictness())
    return [
        bad
        for part, strictly in ((which.filter(strict), True), (which.filter(~strict), False))
        for bad in _judged(lines, rows, part, kind, table, strictly=strictly)
    ]


def _judged(
    lines: Lines, rows: pl.Series, which: pl.Series, kind: str, table: Table | None, *, strictly: bool
) -> list[Refused]:
    """Those of ``which`` (positions in ``rows``) that the careful way refuses."""
    refused = []
    for row in rows.gather(which).to_list():
        fault = careful.judge(lines.payload(row), table, strictly=strictly)
        if fault is not None:
            refused.append(Refused(row, kind, fault))
    return refused


def _without(text: pl.Series, rows: pl.Series, bad: list[Refused]) -> tuple[pl.Series, pl.Series]:
    """The rows and texts that are left."""
    if not bad:
        return rows, text
    keep = ~rows.is_in([r.row for r in bad])
    return rows.filter(keep), text.filter(keep)
