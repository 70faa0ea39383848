"""The tables and views of a mart, rendered from the models.

What readers see, `main.<table>` and `history.<table>`, are views with all columns of the model in its order. Below
them stand tables that hold only the columns that ever had data: models are wide, data are sparse, and a column
without data costs a commit nearly as much as one with. A model's new column needs no migration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from schemas.bookkeeping import (
    BOOKKEEPING,
    RESOURCE_COLUMNS,
    SECTION_COLUMNS,
    SECTION_TABLE,
    SEGMENT_COLUMNS,
    SEGMENT_TABLE,
)
from schemas.table import IDENTITY, Column, Element, Table
from stores.codings import CODED, Coded
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted

MART_VERSION = 4
HISTORY_COLUMNS = (Column("superseded_by", "VARCHAR", "The load whose rows pushed this version into history."),)
RESOURCE_TABLE = "resource"
TOMBSTONE = "tombstone"  # of schema `etl`: the deletes of all types

# The columns that a mart's tables have, with their types, by schema and table.
Stored: TypeAlias = Mapping[tuple[str, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Contract:
    """A table as readers see it: its columns in order, and those of its parts that are views of their own."""

    name: str
    columns: tuple[Column, ...]
    parts: tuple[Element, ...] = ()
    coded: Coded | None = None

    def views(self, stored: Collection[str], before: Collection[str] | None = None) -> Iterator[str]:
        """`main.<table>`, its parts and codings, over a table of the columns ``stored``; none: there is no table.

        ``before``: the columns it had when the views were made last, so that those that stay as they are are left out.
        """
        rows = f" FROM {STORED}.{quoted(self.name)}" if stored else " WHERE false"
        yield f"CREATE OR REPLACE VIEW main.{quoted(self.name)} AS SELECT {self._shown(stored)}{rows}"
        for part in self.parts:
            if before is None or {part.columns[0].name} & (set(stored) - set(before)):
                yield self._part(part, stored)
        if self.coded is not None:
            yield self.coded.view(stored)

    def history_view(self, stored: Collection[str]) -> str:
        """`history.<table>` over a table with the columns ``stored``; without any there is no table."""
        head = f"CREATE OR REPLACE VIEW history.{quoted(self.name)} AS SELECT"
        if not stored:
            return f"{head} *, {', '.join(map(_nothing, HISTORY_COLUMNS))} FROM main.{quoted(self.name)} WHERE false"
        more = ", ".join(quoted(c.name) for c in HISTORY_COLUMNS)
        return f"{head} {self._shown(stored)}, {more} FROM {STORED_HISTORY}.{quoted(self.name)}"

    def _shown(self, stored: Collection[str]) -> str:
        return ", ".join(quoted(c.name) if c.name in stored else _nothing(c) for c in self.columns)

    def names(self) -> list[str]:
        """What it is called in `main`, with its parts."""
        return [self.name, *(part.child_table or "" for part in self.parts)]

    def _part(self, part: Element, stored: Collection[str]) -> str:
        column = part.columns[0]
        rows = f"{STORED}.{quoted(self.name)}"
        if column.name not in stored:
            rows = f"(SELECT {', '.join(map(_nothing, (*IDENTITY, column)))} WHERE false)"
        return part_view("main", part, rows)


def part_view(schema: str, part: Element, rows: str) -> str:
    """A view of a repeated part that people join on: an item of ``rows`` a row, keyed (source, id, ordinal)."""
    items = f"p.{quoted(part.columns[0].name)}"
    shared = ", ".join(f"p.{quoted(c.name)}" for c in IDENTITY)
    return (
        f"CREATE OR REPLACE VIEW {schema}.{quoted(part.child_table or '')} AS SELECT {shared}, "
        f"generate_subscripts({items}, 1) AS ordinal, unnest({items}, max_depth := 2) "
        f"FROM {rows} p WHERE len({items}) > 0"
    )


def contract(table: Table) -> Contract:
    """What readers see of a model."""
    coded = Coded(table.name, table.resource_type, table.elements)
    return Contract(table.name, tuple(table.columns()), tuple(table.child_tables()), coded)


def resource_contract() -> Contract:
    """`resource`: identity, type and the JSON whole."""
    return Contract(RESOURCE_TABLE, (*IDENTITY, *RESOURCE_COLUMNS))


def create_table(schema: str, name: str, columns: Iterable[Column]) -> str:
    """A CREATE TABLE without keys or constraints: the commit keeps identities unique (and DuckLake takes none)."""
    rendered = ", ".join(f"{quoted(c.name)} {c.dtype}" for c in columns)
    return f"CREATE TABLE IF NOT EXISTS {schema}.{quoted(name)} ({rendered})"


def statements(tables: Sequence[Table], stored: Stored | None = None) -> Iterator[str]:
    """Everything that a database needs to be a mart of these models, whose tables are ``stored`` already."""
    for schema in ("etl", "history", CODED, STORED, STORED_HISTORY, STORED_PATCH):
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    for name, columns in BOOKKEEPING.items():
        yield create_table("etl", name, columns)
    yield create_table("main", SEGMENT_TABLE, SEGMENT_COLUMNS)
    for column in SEGMENT_COLUMNS:  # a mart may have been made when it had fewer
        yield f"ALTER TABLE main.{SEGMENT_TABLE} ADD COLUMN IF NOT EXISTS {quoted(column.name)} {column.dtype}"
    yield create_table("main", SECTION_TABLE, SECTION_COLUMNS)
    there = stored or {}
    for shown in (resource_contract(), *map(contract, tables)):
        yield from shown.views(there.get((STORED, shown.name), ()))
        yield shown.history_view(there.get((STORED_HISTORY, shown.name), ()))


def _nothing(column: Column) -> str:
    return f"NULL::{column.dtype} AS {quoted(column.name)}"
