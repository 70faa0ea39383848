"""FHIR JSON to raw columns: DuckDB reads the lines of one type with the table's projection; bad lines are told
apart first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import polars as pl

from schemas.table import Table
from schemas.view_table import ViewTable
from transforms.decode.careful import Refused
from transforms.decode.keys import KeyMemory
from transforms.decode.lines import Lines
from transforms.decode.reading import Asked, LineReader
from transforms.decode.suspects import suspicion
from transforms.decode.types import types_of
from transforms.project import keys, projection, whole_projection, wide_lists
from transforms.views.fill import Filled, Filler


@dataclass(frozen=True, slots=True)
class TypeBatch:
    """The readable lines of one resource type.

    ``raw`` has the projection's columns; ``rows`` (UInt32) gives for each the row of its line in ``Lines.frame``.
    ``table`` is None for a type that is kept whole. ``filled`` are the rows of the mart's views of the type.
    """

    resource_type: str
    table: Table | None
    raw: pl.DataFrame
    rows: pl.Series
    filled: list[Filled]


class Decoder:
    """Decodes chunks on one thread; holds that thread's DuckDB connection."""

    def __init__(self, tables: Mapping[str, Table], views: Sequence[ViewTable] = ()) -> None:
        self.tables = tables
        self._fillers: dict[str, list[Filler]] = {}
        for view in views:
            self._fillers.setdefault(view.resource_type, []).append(Filler(view))
        self._reader = LineReader()
        self._memories: dict[str, KeyMemory] = {}

    def close(self) -> None:
        """Release the connection."""
        self._reader.close()

    def decode(
        self, lines: Lines, without: Set[int] = frozenset(), *, views: bool = True
    ) -> tuple[list[TypeBatch], list[Refused]]:
        """The batches of a chunk by resource type, and the lines that are refused; rows in ``without`` are passed
        over. Not ``views``: the mart's views are not filled.
        """
        types, refused = types_of(lines, without)
        batches = []
        for (kind,), group in types.group_by(["type"], maintain_order=True):
            batch, bad = self._read(str(kind), lines, group["row"], views=views)
            batches.append(batch)
            refused += bad
        return batches, refused

    def _read(self, kind: str, lines: Lines, rows: pl.Series, *, views: bool) -> tuple[TypeBatch, list[Refused]]:
        table = self.tables.get(kind)
        text = lines.texts(rows)
        if table is None:
            plan = whole_projection()
            asked, suspects = Asked(kind, plan.query, None, plan.literals), None
        else:
            shape = projection(table).shape
            present, suspects = self._memory(kind, table).look(text, suspicion(shape))
            plan = projection(table, present)
            asked = Asked(kind, plan.query, shape, plan.literals)
        found = self._reader.read(asked, lines, rows, text, suspects)
        fillers = self._fillers.get(kind, ()) if views else ()
        good = text if len(found.rows) == len(rows) else lines.texts(found.rows)
        filled = [filler.fill(self._reader, lines, found.rows, good) for filler in fillers]
        return TypeBatch(kind, table, found.raw, found.rows, filled), found.refused

    def _memory(self, kind: str, table: Table) -> KeyMemory:
        if kind not in self._memories:
            self._memories[kind] = KeyMemory(keys(projection(table).shape), wide_lists(table))
        return self._memories[kind]
