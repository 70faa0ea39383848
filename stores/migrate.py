"""A mart that an older version made, brought to today's columns: without loss, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from duckdb.sqltypes import DuckDBPyType

from schemas.bookkeeping import BOOKKEEPING
from schemas.records import VIEW_CHECK
from schemas.table import Column, Table
from stores.ddl import Contract, Stored, contract, resource_contract
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted

BOOKKEEPING_SCHEMA = "etl"
_NESTED = ("list", "struct")
# An instant made of a date would have a time of day that nobody sent; a text of an instant is one of many.
_NO_SCALAR_OF_THESE = ("date", "timestamp", "timestamp with time zone", "time")
# Receipts of versions that did not name the refused lines of their partitions get them from the quarantine.
_REFUSED_THEN = f"""
    UPDATE etl.receipt t SET refused = f.refused FROM (
        SELECT r.source, r.sha256, r.load_id, list(q.quarantine_id) AS refused
        FROM etl.quarantine q ASOF JOIN etl.receipt r ON q.source = r.source AND q.uri = r.uri
            AND q.load_id = r.load_id AND q.byte_offset >= r.range_start
        WHERE NOT starts_with(coalesce(q.check_name, ''), '{VIEW_CHECK}') GROUP BY ALL) f
    WHERE t.source = f.source AND t.sha256 = f.sha256 AND t.load_id = f.load_id"""


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column of a table of the mart whose type is not that of today's models."""

    schema: str
    table: str
    column: str
    old: str
    new: str

    @property
    def shown(self) -> str:
        """What it is called where people see it."""
        return f"{self.table}.{self.column}" if self.schema != BOOKKEEPING_SCHEMA else f"etl.{self.table}.{self.column}"


def retyped(tables: Sequence[Table], stored: Stored) -> list[Retyped]:
    """The stored columns that these models give another type, current and earlier rows."""
    found: list[Retyped] = []
    shown: list[Contract] = [resource_contract(), *map(contract, tables)]
    for one in shown:
        for schema in (STORED, STORED_HISTORY, STORED_PATCH):
            found += _retyped(schema, one.name, one.columns, stored.get((schema, one.name), {}))
    for name, columns in BOOKKEEPING.items():
        found += _retyped(BOOKKEEPING_SCHEMA, name, columns, stored.get((BOOKKEEPING_SCHEMA, name), {}))
    return found


def lost(connection: duckdb.DuckDBPyConnection, changes: Sequence[Retyped]) -> str | None:
    """What would be lost if the columns took their new types, in words; None when nothing would."""
    for change in changes:
        places = list(_lost(quoted(change.column), duckdb.sqltype(change.old), duckdb.sqltype(change.new), ""))
        if not places:
            continue
        asked = ", ".join(f"coalesce(bool_or({condition}), false)" for _, condition in places)
        row = connection.execute(f"SELECT {asked} FROM {change.schema}.{quoted(change.table)}").fetchone() or ()
        for (place, _), has_data in zip(places, row, strict=True):
            if has_data and place:
                return f"has data in {change.shown}{place}, for which this clinmart has no column"
            if has_data:
                return f"has another type for {change.shown} than this clinmart, and values that would not survive it"
    return None


def migrate(connection: duckdb.DuckDBPyConnection, changes: Sequence[Retyped], stored: Stored) -> list[str]:
    """Give the columns their new types and add those that bookkeeping lacks, inside the caller's transaction.

    What was done, in words. Only after :func:`lost` found nothing.
    """
    done = []
    for change in changes:
        made = _converted(quoted(change.column), duckdb.sqltype(change.old), duckdb.sqltype(change.new))
        connection.execute(
            f"ALTER TABLE {change.schema}.{quoted(change.table)} ALTER COLUMN {quoted(change.column)} "
            f"TYPE {change.new} USING {made}"
        )
        done.append(change.shown)
    for name, columns in BOOKKEEPING.items():
        there = stored.get((BOOKKEEPING_SCHEMA, name))
        for column in columns:
            if there is not None and column.name not in there:
                connection.execute(f"ALTER TABLE etl.{quoted(name)} ADD COLUMN {quoted(column.name)} {column.dtype}")
                done.append(f"etl.{name}.{column.name}")
    if "refused" not in stored.get((BOOKKEEPING_SCHEMA, "receipt"), {"refused": ""}):
        connection.execute(_REFUSED_THEN)
    return list(dict.fromkeys(done))


def _retyped(schema: str, table: str, columns: Sequence[Column], there: Mapping[str, str]) -> Iterator[Retyped]:
    for column in columns:
        old = there.get(column.name, column.dtype)
        if old.replace('"', "") != column.dtype.replace('"', ""):
            yield Retyped(schema, table, column.name, old, column.dtype)


def _converted(value: str, old: DuckDBPyType, new: DuckDBPyType, depth: int = 0) -> str:
    """``value`` in its new type: fields of structs by name, new ones null."""
    if old == new:
        return value
    if (old.id, new.id) == ("list", "list"):
        item = f"i{depth}"
        inner = _converted(item, _item(old), _item(new), depth + 1)
        return f"list_transform({value}, lambda {item}: {inner})"
    if (old.id, new.id) == ("struct", "struct"):
        before = _fields(old)
        made = [
            (name, _converted(_field(value, name), before[name], kind, depth) if name in before else f"NULL::{kind}")
            for name, kind in _fields(new).items()
        ]
        fields = ", ".join(f"{quoted(name)} := {one}" for name, one in made)
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({fields}) END"
    if old.id in _NESTED or new.id in _NESTED:
        return f"NULL::{new}"
    return f"TRY_CAST({value} AS {new})"


def _lost(value: str, old: DuckDBPyType, new: DuckDBPyType, place: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Places inside a column with the SQL condition under which a row loses something there."""
    if old == new:
        return
    if (old.id, new.id) == ("list", "list"):
        item = f"i{depth}"
        for where, condition in _lost(item, _item(old), _item(new), place, depth + 1):
            yield where, f"len(list_filter({value}, lambda {item}: {condition})) > 0"
    elif (old.id, new.id) == ("struct", "struct"):
        after = _fields(new)
        for name, kind in _fields(old).items():
            inner, where = _field(value, name), f"{place}.{name}"
            if name in after:
                yield from _lost(inner, kind, after[name], where, depth)
            else:
                yield where, _any(inner, kind, depth)
    elif {old.id, new.id} & {*_NESTED, *_NO_SCALAR_OF_THESE}:
        yield place, _any(value, old, depth)
    else:
        yield place, f"TRY_CAST(TRY_CAST({value} AS {new}) AS {old}) IS DISTINCT FROM {value}"


def _any(value: str, kind: DuckDBPyType, depth: int) -> str:
    """The condition that there is any value at all in something nested."""
    if kind.id == "list":
        item = f"i{depth}"
        return f"coalesce(len(list_filter({value}, lambda {item}: {_any(item, _item(kind), depth + 1)})) > 0, false)"
    if kind.id == "struct":
        return "(" + " OR ".join(_any(_field(value, name), inner, depth) for name, inner in _fields(kind).items()) + ")"
    return f"{value} IS NOT NULL"


def _field(value: str, name: str) -> str:
    return f"({value}).{quoted(name)}"


def _fields(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    return {name: inner for name, inner in kind.children if isinstance(inner, DuckDBPyType)}


def _item(kind: DuckDBPyType) -> DuckDBPyType:
    return _fields(kind)["child"]
