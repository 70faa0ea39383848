"""From the plan of a view to SQL.

A block makes rows for a node: either exactly one (its columns), or a LIST of structs with a field for each
column. Lists are built by lambdas and unnested once, at the very end, so that a view is one projection of
its source: no join, no sort, and the order of the elements is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

import msgspec

from transforms.fhirpath.shape import text_literal
from transforms.fhirpath.sql import json_as_sent
from transforms.views.plan import Block, Foci, OutputColumn, Walk
from transforms.views.walk import walk_sql

# Cheap enough to be worked out again for every row of a list.
_PLAIN = re.compile(r"""[\w.\[\]"]{1,80}|'[^']{0,40}'|\(n\d+ - 1\)""")


class Rows(msgspec.Struct, frozen=True):
    """``one``: the SQL of the columns of the only row, by key. ``many``: a LIST of structs with the ``keys``."""

    keys: tuple[str, ...]
    one: Mapping[str, str] | None = None
    many: str | None = None

    def as_list(self) -> str:
        """The rows as a LIST of structs, whether there is one or many."""
        return f"[{_struct(self.one)}]" if self.one is not None else self.many or "[]"


class RowMaker:
    """Renders blocks; numbers the lambda variables of one query."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def parts(self, block: Block) -> list[Rows]:
        """The rows of a block's columns, of each nested selection and of its union, still to be crossed."""
        own = {column.key: column_sql(column) for column in block.columns}
        parts = [Rows(tuple(own), one=own)] if own else []
        parts += [self._rows(nested) for nested in block.selects]
        if block.union:
            parts.append(self._union(block.union))
        return parts

    def cross(self, parts: list[Rows]) -> Rows:
        """The cross product of rows, columns in the order of the parts."""
        keys = tuple(key for part in parts for key in part.keys)
        single = {key: sql for part in parts if part.one is not None for key, sql in part.one.items()}
        lists = [part for part in parts if part.one is None]
        if not lists:
            return Rows(keys, one=single)
        if len(lists) == 1 and not single:
            return lists[0]
        number = next(self._numbers)
        costly = {key: sql for key, sql in single.items() if not _PLAIN.fullmatch(sql)}
        fields = single | {key: f"s{number}.{key}" for key in costly}
        for i, part in enumerate(lists):
            fields |= {key: f"r{number}_{i}.{key}" for key in part.keys}
        sql = _struct({key: fields[key] for key in keys})
        for i, part in reversed([*enumerate(lists)]):
            mapped = f"list_transform({part.many}, lambda r{number}_{i}: {sql})"
            sql = mapped if i == len(lists) - 1 else f"flatten({mapped})"
        if costly:
            sql = f"list_transform([{_struct(costly)}], lambda s{number}: {sql})[1]"
        return Rows(keys, many=sql)

    def _rows(self, block: Block) -> Rows:
        inner = self.cross(self.parts(block))
        return inner if block.foci is None else self._for_each(block, block.foci, inner)

    def _union(self, branches: tuple[Block, ...]) -> Rows:
        rows = [self._rows(branch) for branch in branches]
        lists = [branch.as_list() for branch in rows]
        return Rows(rows[0].keys, many=lists[0] if len(lists) == 1 else f"list_concat({', '.join(lists)})")

    def _for_each(self, block: Block, foci: Foci, inner: Rows) -> Rows:
        body = _struct(inner.one) if inner.one is not None else inner.many or ""
        counted = re.search(rf"\b{foci.index}\b", body)
        head = f"lambda {foci.variable}, {foci.index}:" if counted else f"lambda {foci.variable}:"
        nodes = _nodes(foci)

        def mapped(items: str) -> str:
            rows = f"list_transform({items}, {head} {body})"
            return rows if inner.one is not None else f"flatten({rows})"

        if not foci.or_null:
            return Rows(inner.keys, many=mapped(nodes))
        nulls = _struct({column.key: _null(column) for column in block.all_columns()})
        items = nodes if _PLAIN.fullmatch(nodes) else f"l{next(self._numbers)}"
        sql = f"CASE WHEN len({items}) > 0 THEN {mapped(items)} ELSE [{nulls}] END"
        return Rows(inner.keys, many=sql if items == nodes else f"list_transform([{nodes}], lambda {items}: {sql})[1]")


def column_sql(column: OutputColumn) -> str:
    """The SQL of a column's value, of exactly its DuckDB type; an empty collection is an empty list."""
    compiled = column.compiled
    if not column.collection:
        return _typed(compiled.sql, compiled.sql_type, column)
    sql = compiled.sql if compiled.many else f"list_filter([{compiled.sql}], lambda v: v IS NOT NULL)"
    value = _typed("v", compiled.sql_type.removesuffix("[]"), column)
    return f"ifnull({sql if value == 'v' else f'list_transform({sql}, lambda v: {value})'}, [])"


def _typed(sql: str, found: str, column: OutputColumn) -> str:
    """One value in the type of the column. One that does not fit a hinted type is an error, which hides it."""
    if found == column.value_type:
        return sql
    if column.value_type == "JSON":
        return f"CAST({json_as_sent(f'CAST({sql} AS VARCHAR)')} AS JSON)"
    if not column.hinted:
        return f"CAST({sql} AS {column.value_type})"
    message = text_literal(f"column {column.name}: a value is no {column.value_type}, which its tag asks for")
    cast = f"TRY_CAST({sql} AS {column.value_type})"
    return f"CASE WHEN {sql} IS NOT NULL AND {cast} IS NULL THEN error({message}) ELSE {cast} END"


def _nodes(foci: Foci) -> str:
    """The LIST of the nodes for which rows are made."""
    if isinstance(foci.nodes, Walk):
        return walk_sql(foci.nodes)
    sql = foci.nodes.sql
    return sql if foci.nodes.many else f"CASE WHEN {sql} IS NOT NULL THEN [{sql}] END"


def _null(column: OutputColumn) -> str:
    """What a column holds in the row that stands for no node."""
    return "0::BIGINT" if column.counts_rows else f"NULL::{column.duckdb_type}"


def _struct(fields: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{text_literal(key)}: {sql}' for key, sql in fields.items())}}}"
